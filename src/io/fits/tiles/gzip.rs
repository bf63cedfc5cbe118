//! Tiles that are gzip streams, as they are or with the bytes of their values sorted by significance.

use std::io::Read;

use flate2::bufread::GzDecoder;

use super::super::values::room;
use crate::error::Result;

/// Deflate makes at most so many bytes of one.
pub(super) const BEST_RATIO: usize = 1032;

/// Decompresses a stream that must not make more than `most` bytes; `usual`: as many as are expected.
///
/// # Errors
/// The inner one says what is wrong with the stream; the outer one is [`crate::Error::Memory`].
pub(super) fn inflate(stream: &[u8], usual: usize, most: usize) -> Result<Result<Vec<u8>, String>> {
    // A claim of size is believed as far as the stream can hold it.
    let can = stream.len().saturating_mul(BEST_RATIO);
    let mut out = room(usual.min(can).saturating_add(1))?;
    let mut decoder = GzDecoder::new(stream).take(most as u64 + 1);
    if let Err(error) = decoder.read_to_end(&mut out) {
        return match error.kind() {
            std::io::ErrorKind::OutOfMemory => Err(super::super::reader::memory(most as u64)),
            std::io::ErrorKind::UnexpectedEof => Ok(Err("the gzip stream ends early".into())),
            _ => Ok(Err(format!("the gzip stream is damaged: {error}"))),
        };
    }
    if out.len() > most {
        return Ok(Err(format!("the gzip stream makes more than {most} bytes")));
    }
    let rest = decoder.into_inner().into_inner();
    if rest.iter().any(|b| *b != 0) {
        return Ok(Err(format!("{} bytes follow the gzip stream", rest.len())));
    }
    Ok(Ok(out))
}

/// Puts the bytes of each value together: first come those of the highest significance of all values.
pub(super) fn unshuffle(bytes: &[u8], size: usize) -> Result<Vec<u8>> {
    let count = bytes.len() / size;
    let mut out = room(bytes.len())?;
    for value in 0..count {
        out.extend((0..size).map(|byte| bytes[byte * count + value]));
    }
    Ok(out)
}
