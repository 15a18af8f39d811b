//! Many pictures through the library, whatever fails on the way.

#[path = "../../examples/label_folder.rs"]
#[allow(dead_code)]
mod label_folder;

use std::fs;
use std::io::{self, Read};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use candle_core::{DType, Device, Tensor};
use mobilenet::dataset::{self, Input};
use mobilenet::device::{DeviceChoice, open};
use mobilenet::error::{ImageError, ImageErrorKind};
use mobilenet::pipeline::{Answer, CancelToken, Error, Model, Pipeline, Reply, Stage};
use mobilenet::pixels::{self, DecodeOptions, Pixels, Preprocessing, RgbImage};
use mobilenet::weights::{Checkpoint, LoadOptions};
use mobilenet::{Classifier, Decay, Familiarity, FamiliarityRange};
use rayon::prelude::*;

use crate::support::{Program, arg, repository};

/// What a batch does before it is answered.
/// What a picture shown has for bytes.
fn bytes(pixels: &Pixels) -> &[u8] {
    match pixels {
        Pixels::Bytes(image) => image.as_raw(),
        Pixels::Floats(_) => panic!("a recipe of bytes"),
    }
}

type Before = dyn Fn(&[Pixels]) -> mobilenet::Result<()> + Send + Sync;

/// Answers with the sum of a picture's bytes, and looks twice at what is not of one colour.
#[derive(Clone)]
struct Sums {
    recipe: Preprocessing,
    on_cpu: bool,
    /// The sizes of the batches.
    batches: Arc<Mutex<Vec<usize>>>,
    before: Arc<Before>,
}

impl Sums {
    fn new(on_cpu: bool) -> Self {
        Self {
            recipe: Preprocessing::center(32),
            on_cpu,
            batches: Arc::default(),
            before: Arc::new(|_| Ok(())),
        }
    }

    fn before(
        self,
        before: impl Fn(&[Pixels]) -> mobilenet::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self {
            before: Arc::new(before),
            ..self
        }
    }

    fn pipeline(&self) -> Pipeline {
        Pipeline::new(Arc::new(self.clone())).threads(2)
    }

    fn batches(&self) -> Vec<usize> {
        self.batches.lock().expect("sizes").clone()
    }
}

impl Model for Sums {
    fn preprocessing(&self) -> &Preprocessing {
        &self.recipe
    }

    fn is_on_cpu(&self) -> bool {
        self.on_cpu
    }

    fn answer(&self, inputs: &[Pixels]) -> mobilenet::Result<Vec<Reply>> {
        (self.before)(inputs)?;
        self.batches.lock().expect("sizes").push(inputs.len());
        let reply = |input: &Pixels| {
            let bytes = bytes(input);
            let sum: u32 = bytes.iter().map(|&byte| u32::from(byte)).sum();
            Reply {
                values: vec![sum as f32],
                is_unsure: bytes.iter().any(|byte| *byte != bytes[0]),
                order: Vec::new(),
            }
        };
        Ok(inputs.iter().map(reply).collect())
    }

    fn on_threads(&self, _: usize) -> Arc<dyn Model> {
        Arc::new(self.clone())
    }
}

/// A picture of one colour, named after it.
fn grey(value: u8) -> Input {
    let mut bytes = b"P6 32 32 255 ".to_vec();
    bytes.extend([value; 32 * 32 * 3]);
    Input::bytes(value.to_string(), bytes)
}

fn sum_of(value: u8) -> f32 {
    f32::from(value) * 3072.0
}

/// A large JPEG, which is decoded at a reduced scale first.
fn photograph(name: &str) -> Input {
    let bytes = fs::read(repository("samples/coffee.jpg")).expect("a sample");
    Input::bytes(name, bytes)
}

/// The pipelines that a device and a batch size make.
fn kinds() -> impl Iterator<Item = (Sums, Pipeline, usize)> {
    [(true, 1), (true, 2), (false, 1), (false, 4)]
        .into_iter()
        .map(|(on_cpu, batch)| {
            let model = Sums::new(on_cpu);
            let pipeline = model.pipeline().batch_size(batch);
            (model, pipeline, batch)
        })
}

/// The same with models that do something before they answer.
fn kinds_before(
    before: impl Fn(&[Pixels]) -> mobilenet::Result<()> + Clone + Send + Sync + 'static,
) -> impl Iterator<Item = (Pipeline, usize)> {
    [(true, 1), (true, 2), (false, 1), (false, 4)]
        .into_iter()
        .map(move |(on_cpu, batch)| {
            let model = Sums::new(on_cpu).before(before.clone());
            (model.pipeline().batch_size(batch), batch)
        })
}

/// As a panic does, without its message on stderr.
fn panic(message: &'static str) -> ! {
    std::panic::resume_unwind(Box::new(message))
}

#[track_caller]
fn assert_panicked(error: &Error, expected: Stage) {
    match error {
        Error::Panicked { stage, message } => {
            assert_eq!((*stage, message.as_str()), (expected, "defect"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_picture_has_an_answer_in_its_place() {
    for (_, pipeline, _) in kinds() {
        // Which may be asked again and again.
        for _ in 0..2 {
            let inputs = (0..100u8).map(|i| match i % 10 {
                3 => Input::bytes(i.to_string(), *b"no picture"),
                7 => Input::failed(
                    i.to_string(),
                    ImageError::new(ImageErrorKind::Permission, "closed"),
                ),
                _ => grey(i),
            });
            let answers: Vec<Answer> = pipeline
                .run(inputs)
                .collect::<Result<_, _>>()
                .expect("answers");
            assert_eq!(answers.len(), 100);
            for (i, answer) in (0..100u8).zip(answers) {
                assert_eq!(answer.name, *i.to_string());
                let values = answer.values.map_err(|error| error.kind);
                match i % 10 {
                    3 => assert_eq!(values, Err(ImageErrorKind::Decode)),
                    7 => assert_eq!(values, Err(ImageErrorKind::Permission)),
                    _ => assert_eq!(values, Ok(vec![sum_of(i)])),
                }
            }
        }
    }
}

/// What is decoded again is answered in its place too, as it is alone.
#[test]
fn second_looks_keep_their_places() {
    for (model, pipeline, _) in kinds() {
        let alone = pipeline.answer(photograph("alone")).expect("an answer");
        let full = Pipeline::new(Arc::new(model.clone())).decode_options(DecodeOptions::default());
        let full = full.answer(photograph("alone")).expect("an answer");
        assert_eq!(alone, full);
        let before = model.batches().iter().sum::<usize>();
        let inputs = (0..30u8).map(|i| {
            if i % 3 == 1 {
                photograph("cup")
            } else {
                grey(i)
            }
        });
        let answers: Result<Vec<Answer>, Error> = pipeline.run(inputs).collect();
        for (i, answer) in (0..30u8).zip(answers.expect("answers")) {
            let want = if i % 3 == 1 {
                alone.values.clone()
            } else {
                Ok(vec![sum_of(i)])
            };
            assert_eq!(answer.values, want, "{i}");
        }
        // Each photograph twice, the others once.
        assert_eq!(model.batches().iter().sum::<usize>() - before, 40);
    }
}

/// On a device that is fed by one thread, the others decode again, and the device is given what
/// they have in batches.
#[test]
fn second_looks_are_batched() {
    let model = Sums::new(false).before(|_| {
        // As long as the other threads take to decode a few.
        thread::sleep(Duration::from_millis(60));
        Ok(())
    });
    let pipeline = model.pipeline().batch_size(4);
    let answers = pipeline.run((0..12).map(|_| photograph("cup")));
    assert_eq!(answers.filter(Result::is_ok).count(), 12);
    let batches = model.batches();
    assert_eq!(batches.iter().sum::<usize>(), 24);
    // One by one the second looks alone were twelve.
    assert!(batches.len() < 12, "{batches:?}");
}

#[test]
fn a_panic_of_the_model_is_an_error() {
    let defect = |inputs: &[Pixels]| {
        if inputs.iter().any(|input| bytes(input)[0] == 20) {
            panic("defect");
        }
        Ok(())
    };
    for (pipeline, batch) in kinds_before(defect) {
        let mut answers: Vec<_> = pipeline.run((0..100).map(grey)).collect();
        let error = answers.pop().expect("answers").expect_err("a defect");
        assert_panicked(&error, Stage::Model);
        assert!((21 - batch..=20).contains(&answers.len()), "{batch}");
        assert!(answers.iter().all(Result::is_ok));
        // The next run is as any other.
        let rest = pipeline.run((21..60).map(grey));
        assert_eq!(rest.filter(Result::is_ok).count(), 39);
    }
}

#[test]
fn a_failure_of_the_model_is_an_error() {
    let fails = |inputs: &[Pixels]| match inputs.iter().any(|input| bytes(input)[0] == 20) {
        true => Err(mobilenet::Error::from(candle_core::Error::Msg(
            "no more".into(),
        ))),
        false => Ok(()),
    };
    for (pipeline, _) in kinds_before(fails) {
        let mut answers: Vec<_> = pipeline.run((0..100).map(grey)).collect();
        let error = answers.pop().expect("answers").expect_err("a failure");
        assert!(matches!(error, Error::Model(_)), "{error:?}");
        assert!(answers.iter().all(Result::is_ok));
    }
}

#[test]
fn a_panic_of_the_pictures_iterator_is_an_error_at_the_end() {
    for (_, pipeline, batch) in kinds() {
        let inputs = (0..100).map(|i| if i == 20 { panic("defect") } else { grey(i) });
        let mut answers: Vec<_> = pipeline.run(inputs).collect();
        let error = answers.pop().expect("answers").expect_err("a defect");
        assert_panicked(&error, Stage::Source);
        assert_eq!(answers.len(), 20, "{batch}");
        assert!(answers.iter().all(Result::is_ok));
    }
}

/// A reader of somebody else's.
struct Defective;

impl Read for Defective {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        panic("defect");
    }
}

#[test]
fn a_panic_of_a_reader_is_an_error() {
    for (_, pipeline, _) in kinds() {
        let inputs = (0..100).map(|i| match i {
            20 => Input::reader("defective", Defective),
            _ => grey(i),
        });
        let mut answers: Vec<_> = pipeline.run(inputs).collect();
        let error = answers.pop().expect("answers").expect_err("a defect");
        assert_panicked(&error, Stage::Decoding);
        assert!(answers.len() <= 20 && answers.iter().all(Result::is_ok));
    }
}

/// A batch that a device's memory does not hold goes through it in parts.
#[test]
fn batches_become_smaller_where_memory_is_short() {
    let model = Sums::new(false).before(|inputs| match inputs.len() {
        0..=3 => Ok(()),
        _ => {
            let message = "DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")";
            Err(candle_core::Error::Msg(message.into()).into())
        }
    });
    let pipeline = model.pipeline().batch_size(16);
    let inputs = (0..100u8).map(|i| {
        // So that batches are full.
        thread::sleep(Duration::from_micros(u64::from(i % 20 == 0) * 20_000));
        grey(i)
    });
    let answers: Result<Vec<Answer>, Error> = pipeline.run(inputs).collect();
    for (i, answer) in (0..100).zip(answers.expect("answers")) {
        assert_eq!(answer.values, Ok(vec![sum_of(i)]));
    }
    assert!(model.batches().iter().all(|size| *size <= 3));
}

/// An iterator that never ends, of which no more is taken than is wanted.
#[test]
fn a_run_ends_with_its_answers() {
    for (_, pipeline, _) in kinds() {
        let (taken, dropped) = (Arc::new(AtomicUsize::new(0)), Arc::new(()));
        let (counter, held) = (taken.clone(), dropped.clone());
        let inputs = (0..).map(move |_: u64| {
            let _held = &held;
            counter.fetch_add(1, Ordering::SeqCst);
            grey(1)
        });
        assert_eq!(
            pipeline.run(inputs).take(10).filter(Result::is_ok).count(),
            10
        );
        let deadline = Instant::now() + Duration::from_secs(10);
        while Arc::strong_count(&dropped) > 1 {
            assert!(Instant::now() < deadline, "the threads go on");
            thread::sleep(Duration::from_millis(1));
        }
        assert!(taken.load(Ordering::SeqCst) < 100);
    }
}

#[test]
fn a_cancelled_run_ends() {
    for (_, pipeline, _) in kinds() {
        let cancel = CancelToken::new();
        let mut answers = pipeline.run_until((0..).map(|_: u64| grey(1)), &cancel);
        for _ in 0..10 {
            assert!(answers.next().is_some_and(|answer| answer.is_ok()));
        }
        cancel.cancel();
        // What was begun is answered.
        assert!(answers.all(|answer| answer.is_ok()));
        // The pipeline is as good as new.
        assert_eq!(pipeline.run((0..10).map(grey)).count(), 10);
    }
}

/// Of a cancelled run no picture waits for its second look, nor do those behind it.
#[test]
fn a_cancelled_run_ends_during_second_looks() {
    for (_, pipeline, _) in kinds() {
        let cancel = CancelToken::new();
        let mut answers = pipeline.run_until((0..).map(|_: u64| photograph("cup")), &cancel);
        assert!(answers.next().is_some_and(|answer| answer.is_ok()));
        cancel.cancel();
        assert!(answers.all(|answer| answer.is_ok()));
    }
}

/// As a service asks: for one picture, from many threads, with a pipeline that it keeps.
#[test]
fn a_pipeline_may_be_shared_and_has_no_more_threads_at_work_than_it_was_given() {
    let at_work = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let (now, highest) = (at_work.clone(), most.clone());
    let model = Sums::new(true).before(move |_| {
        highest.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(1));
        now.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    });
    let pipeline = model.pipeline();
    thread::scope(|scope| {
        for number in 0..8u8 {
            let pipeline = &pipeline;
            scope.spawn(move || {
                for i in 0..10 {
                    let answer = pipeline.answer(grey(number)).expect("an answer");
                    assert_eq!(answer.values, Ok(vec![sum_of(number)]));
                    let answers = pipeline.run([grey(number), grey(i)]);
                    let sums: Vec<_> = answers
                        .map(|answer| answer.expect("an answer").values)
                        .collect();
                    assert_eq!(sums, [Ok(vec![sum_of(number)]), Ok(vec![sum_of(i)])]);
                }
            });
        }
    });
    assert_eq!(most.load(Ordering::SeqCst), 2);
}

fn digits() -> Checkpoint {
    let digits = repository("weights/digits.safetensors");
    Checkpoint::open(digits, &LoadOptions::default()).expect("a checkpoint")
}

/// Counts the pictures that a classifier is shown.
#[derive(Clone)]
struct Counted(Arc<Classifier>, Arc<AtomicUsize>);

impl Model for Counted {
    fn preprocessing(&self) -> &Preprocessing {
        self.0.preprocessing()
    }

    fn is_on_cpu(&self) -> bool {
        true
    }

    fn answer(&self, inputs: &[Pixels]) -> mobilenet::Result<Vec<Reply>> {
        self.1.fetch_add(inputs.len(), Ordering::SeqCst);
        Model::answer(&*self.0, inputs)
    }

    fn on_threads(&self, _: usize) -> Arc<dyn Model> {
        Arc::new(self.clone())
    }
}

/// The times that a large JPEG is shown to a classifier with these probabilities, which knows no
/// picture like it.
fn times_shown(probabilities: [f32; 2]) -> usize {
    let digits = digits();
    let len = digits.config().embedding_len();
    let weight = Tensor::zeros((2, len), DType::F32, &Device::Cpu).expect("zeros");
    let bias = Tensor::new(&probabilities.map(f32::ln), &Device::Cpu).expect("a bias");
    // Whatever an embedding is, its cosine is under 1.01.
    let range = FamiliarityRange {
        strange: 1.005,
        usual: 1.01,
        decay: Decay::Linear,
    };
    let stranger = Familiarity::new(vec![1.0; len], len, range).expect("a familiarity");
    let checkpoint = digits
        .with_classifier(&weight, &bias, ["cup", "mug"].map(String::from).to_vec())
        .and_then(|made| made.with_familiarity(Some(stranger)))
        .expect("a checkpoint");
    let device = open(DeviceChoice::Cpu).expect("a CPU");
    let classifier = Classifier::new(&checkpoint, None, &device, DType::F32);
    let shown = Arc::new(AtomicUsize::new(0));
    let model = Counted(Arc::new(classifier.expect("a classifier")), shown.clone());
    let answer = Pipeline::new(Arc::new(model)).answer(photograph("cup"));
    let scores = answer.expect("an answer").values.expect("scores");
    // Flattened, whatever they were.
    assert!(scores[1] > 0.9 * scores[0], "{scores:?}");
    shown.load(Ordering::SeqCst)
}

/// Whether a picture is decoded again is asked of the network's own scores, not of those that are
/// flattened because it is a stranger.
#[test]
fn a_stranger_is_not_decoded_twice() {
    assert_eq!(times_shown([0.6, 0.4]), 1);
    assert_eq!(times_shown([0.51, 0.49]), 2);
}

/// What a user writes first is right, on any threads.
#[test]
fn a_rayon_pool_may_classify() {
    let device = open(DeviceChoice::Cpu).expect("a CPU");
    let classifier = Classifier::new(&digits(), None, &device, DType::F32).expect("a classifier");
    let paths: Vec<_> = dataset::folder(&repository("samples/digits"))
        .map(|input| input.name)
        .collect();
    let options = DecodeOptions::default();
    let classify = |classifier: &Classifier, path| {
        let image = pixels::open(path, &options).expect("a sample");
        classifier.classify(&[image], 3, None).expect("an answer")
    };
    let one = classifier.clone().with_threads(1);
    let want: Vec<_> = paths.iter().map(|path| classify(&one, path)).collect();
    assert!(want.len() > 10);
    let three = classifier.clone().with_threads(3);
    for classifier in [&classifier, &three] {
        let found: Vec<_> = paths
            .par_iter()
            .map(|path| classify(classifier, path))
            .collect();
        assert_eq!(found, want);
    }
    // As one batch, too.
    let images: Vec<RgbImage> = paths
        .iter()
        .map(|path| pixels::open(path, &options).expect("a sample"))
        .collect();
    for classifier in [&classifier, &one, &three] {
        let found = classifier.classify(&images, 3, None).expect("answers");
        assert_eq!(found, want.concat());
    }
}

/// The example's answers are the program's.
#[test]
fn the_example_labels_a_folder_as_the_program_does() {
    let program = Program::new();
    let folder = program.path("album");
    fs::create_dir(&folder).expect("a folder");
    for (name, sample) in [
        ("1.png", "samples/digits/3-0.png"),
        ("2.jpg", "samples/coffee.jpg"),
        ("3.jpg", "samples/rocket.jpg"),
        ("4.png", "samples/digits/7-0.png"),
    ] {
        fs::copy(repository(sample), folder.join(name)).expect("copied");
    }
    fs::write(folder.join("5.jpg"), b"no picture").expect("written");
    let weights = repository("weights/digits.safetensors");
    let mut own = Vec::new();
    label_folder::label(&weights, &folder, &mut own).expect("labels");
    let ran = program.run(&[
        "classify",
        "-k",
        "1",
        "--jsonl",
        "--weights",
        arg(&weights),
        arg(&folder),
    ]);
    let rows = ran.rows();
    assert_eq!(rows.len(), 5);
    let lines = rows.iter().filter_map(|row| {
        let best = row["predictions"].get(0)?;
        let (path, label) = (row["path"].as_str()?, best["label"].as_str()?);
        Some(format!("{path}\t{label}\t{:.4}\n", best["score"].as_f64()?))
    });
    let want: String = lines.collect();
    assert_eq!(want.lines().count(), 4);
    assert_eq!(String::from_utf8(own).expect("UTF-8"), want);
}
