//! Reading the binary image of a row: its fields, and integers of any width.

/// Returns the offset of the n-th field of an image, after its length, and the length. The length is `None` for NULL.
pub fn field(image: &[u8], n: usize) -> Option<(usize, Option<usize>)> {
    let mut at = 2;
    for _ in 0..n {
        at += 4 + usize::try_from(length(image, at)?).unwrap_or(0);
    }
    Some((at + 4, usize::try_from(length(image, at)?).ok()))
}

fn length(image: &[u8], at: usize) -> Option<i32> {
    Some(i32::from_be_bytes(image.get(at..at + 4)?.try_into().ok()?))
}

/// Returns the integer in these bytes of an `int2`, `int4` or `int8`. `None` if the width is none of theirs.
pub fn integer(bytes: &[u8]) -> Option<i64> {
    match *bytes {
        [a, b] => Some(i64::from(i16::from_be_bytes([a, b]))),
        [a, b, c, d] => Some(i64::from(i32::from_be_bytes([a, b, c, d]))),
        _ => bytes.try_into().ok().map(i64::from_be_bytes),
    }
}
