//! What a checkpoint's classes were learned from, in words: in its model card and in `summary`.

use mobilenet::learn::Lesson;
use mobilenet::weights::Checkpoint;

use super::terminal::printable;

/// A line on each thing that is worth knowing.
pub fn facts(checkpoint: &Checkpoint, lesson: &Lesson) -> Vec<String> {
    let classes = lesson.pictures.len();
    let mirrored = if lesson.views > 1 {
        ", each with its mirror image"
    } else {
        ""
    };
    let mut facts = vec![format!(
        "Learned by: mobilenet {}, a logistic regression on the network's embeddings of {} pictures of {classes} \
         classes{mirrored}",
        lesson.version,
        lesson.count()
    )];
    match &lesson.held_out {
        Some(held_out) => facts.push(format!(
            "Held out: {} of {} pictures told rightly in {}-fold cross-validation ({:.1} %), log loss {:.4}",
            (held_out.accuracy * held_out.pictures as f64).round(),
            held_out.pictures,
            lesson.folds,
            100.0 * held_out.accuracy,
            held_out.log_loss
        )),
        None => facts.push("Held out: none, so how well classes are told is not known".into()),
    }
    facts.push(match checkpoint.rejection() {
        Some(rejection) => format!(
            "Unknown: pictures with a score under {:.4}, {} % of those that were held out",
            rejection.threshold,
            100.0 * f64::from(rejection.share)
        ),
        None => "Unknown: no picture is, whatever it shows".into(),
    });
    if !lesson.balance {
        facts.push("Balance: none; a class of more pictures counted for more".into());
    }
    if lesson.has_examples {
        facts.push(
            "Embeddings of the pictures: in the checkpoint (`mobilenet learn --add`, `--remove`)"
                .into(),
        );
    }
    facts
}

/// The classes as a table in Markdown.
pub fn table(checkpoint: &Checkpoint, lesson: &Lesson) -> String {
    let labels = checkpoint.labels();
    let labels = labels.iter().flat_map(|labels| labels.classes());
    let rows = labels.zip(lesson.pictures.iter().zip(&lesson.recalls));
    let row = |(class, (pictures, recall)): (&mobilenet::labels::Class, (&usize, &Option<f64>))| {
        let recall = recall.map_or("-".into(), |recall| format!("{:.1} %", 100.0 * recall));
        // What would end a cell, or be taken for markup.
        let label: String = printable(&class.label)
            .chars()
            .flat_map(|c| match c {
                '|' | '\\' | '`' | '*' | '_' | '<' | '[' => vec!['\\', c],
                c => vec![c],
            })
            .collect();
        format!("| {label} | {pictures} | {recall} |\n")
    };
    let rows: String = rows.map(row).collect();
    format!("| class | pictures | told rightly, held out |\n| --- | --- | --- |\n{rows}")
}
