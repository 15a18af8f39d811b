//! The matrices between RGB and luma and chroma, by ITU-T H.273's numbers.

/// Green, blue and red in place of luma and chroma.
pub(in crate::pixels) const IDENTITY: u16 = 0;
/// It is not said.
pub(in crate::pixels) const UNKNOWN: u16 = 2;
/// Luma with chroma of green and orange.
pub(in crate::pixels) const YCGCO: u16 = 8;
/// SMPTE ST 2085.
pub(in crate::pixels) const YDZDX: u16 = 11;
/// What the primaries say.
const OF_PRIMARIES: u16 = 12;
/// BT.2100.
pub(in crate::pixels) const ICTCP: u16 = 14;
/// Luma with chroma of green and orange, without loss; from here on.
pub(in crate::pixels) const YCGCO_RE: u16 = 15;

/// What red and blue weigh in luma; `None` for matrices that have no such weights.
pub(in crate::pixels) fn weights(matrix: u16, primaries: u16) -> Option<(f32, f32)> {
    Some(match matrix {
        1 => (0.2126, 0.0722),
        4 => (0.30, 0.11),
        5 | 6 => (0.299, 0.114),
        7 => (0.212, 0.087),
        9 | 10 => (0.2627, 0.0593),
        OF_PRIMARIES | 13 => of_primaries(primaries)?,
        _ => return None,
    })
}

/// The weights that make luma of the light of three primaries and of their white.
fn of_primaries(number: u16) -> Option<(f32, f32)> {
    const D65: [f32; 2] = [0.3127, 0.3290];
    const C: [f32; 2] = [0.310, 0.316];
    let ([red, green, blue], white) = match number {
        1 => ([[0.640, 0.330], [0.300, 0.600], [0.150, 0.060]], D65),
        4 => ([[0.67, 0.33], [0.21, 0.71], [0.14, 0.08]], C),
        5 => ([[0.64, 0.33], [0.29, 0.60], [0.15, 0.06]], D65),
        6 | 7 => ([[0.630, 0.340], [0.310, 0.595], [0.155, 0.070]], D65),
        8 => ([[0.681, 0.319], [0.243, 0.692], [0.145, 0.049]], C),
        9 => ([[0.708, 0.292], [0.170, 0.797], [0.131, 0.046]], D65),
        11 => (
            [[0.680, 0.320], [0.265, 0.690], [0.150, 0.060]],
            [0.314, 0.351],
        ),
        12 => ([[0.680, 0.320], [0.265, 0.690], [0.150, 0.060]], D65),
        22 => ([[0.630, 0.340], [0.295, 0.605], [0.155, 0.077]], D65),
        _ => return None,
    };
    // The light of each primary that makes up white, by Cramer's rule.
    let with_z = |[x, y]: [f32; 2]| [x, y, 1.0 - (x + y)];
    let [red, green, blue, white] = [red, green, blue, white].map(with_z);
    let determinant = |a: [f32; 3], b: [f32; 3], c: [f32; 3]| {
        a[0] * (b[1] * c[2] - c[1] * b[2]) - b[0] * (a[1] * c[2] - c[1] * a[2])
            + c[0] * (a[1] * b[2] - b[1] * a[2])
    };
    let whole = white[1] * determinant(red, green, blue);
    Some((
        red[1] * determinant(white, green, blue) / whole,
        blue[1] * determinant(red, green, white) / whole,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn primaries_give_the_weights_of_their_own_standard() {
        for (primaries, matrix) in [(1, 1), (9, 9)] {
            let (of_primaries, stated) = (weights(12, primaries), weights(matrix, 0));
            let (a, b) = (of_primaries.expect("known"), stated.expect("known"));
            assert!(
                (a.0 - b.0).abs() < 2e-4 && (a.1 - b.1).abs() < 2e-4,
                "{a:?} {b:?}"
            );
        }
        assert_eq!(weights(12, 3), None);
        assert_eq!(weights(2, 1), None);
    }
}
