//! Reads numpy's `.npz`: just enough of ZIP (stored or deflated members) and `.npy` (little-endian, C order).

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

/// Arrays by name, flattened, as `f64`.
pub fn read(path: &Path) -> BTreeMap<String, Vec<f64>> {
    let bytes = std::fs::read(path).unwrap();
    let u16_at = |at: usize| usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
    let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;

    // The end record is last and says where the directory starts; sizes in member headers may be absent.
    let end = (0..bytes.len() - 21).rev().find(|at| bytes[*at..].starts_with(b"PK\x05\x06")).unwrap();
    let (members, mut at) = (u16_at(end + 10), u32_at(end + 16));
    let mut arrays = BTreeMap::new();
    for _ in 0..members {
        assert!(bytes[at..].starts_with(b"PK\x01\x02"), "no directory entry at {at}");
        let (method, packed, local) = (u16_at(at + 10), u32_at(at + 20), u32_at(at + 42));
        let (name, extra, comment) = (u16_at(at + 28), u16_at(at + 30), u16_at(at + 32));
        let file = String::from_utf8(bytes[at + 46..at + 46 + name].to_vec()).unwrap();
        let start = local + 30 + u16_at(local + 26) + u16_at(local + 28);
        let member = &bytes[start..start + packed];
        let npy = match method {
            0 => member.to_vec(),
            8 => {
                let mut unpacked = Vec::new();
                flate2::read::DeflateDecoder::new(member).read_to_end(&mut unpacked).unwrap();
                unpacked
            }
            other => panic!("{file}: ZIP method {other}"),
        };
        if let Some(values) = npy_values(&npy) {
            arrays.insert(file.trim_end_matches(".npy").to_string(), values);
        }
        at += 46 + name + extra + comment;
    }
    arrays
}

/// `None` for text.
fn npy_values(npy: &[u8]) -> Option<Vec<f64>> {
    assert!(npy.starts_with(b"\x93NUMPY"));
    let (length, start) = match npy[6] {
        1 => (usize::from(u16::from_le_bytes([npy[8], npy[9]])), 10),
        _ => (u32::from_le_bytes(npy[8..12].try_into().unwrap()) as usize, 12),
    };
    let header = std::str::from_utf8(&npy[start..start + length]).unwrap();
    assert!(header.contains("'fortran_order': False"), "{header}");
    let data = &npy[start + length..];
    macro_rules! values {
        ($type:ty) => {
            data.chunks_exact(size_of::<$type>())
                .map(|c| <$type>::from_le_bytes(c.try_into().unwrap()) as f64)
                .collect()
        };
    }
    let descr = header.split("'descr': '").nth(1).and_then(|rest| rest.split('\'').next()).unwrap();
    Some(match descr {
        "<f8" => values!(f64),
        "<f4" => values!(f32),
        "<i8" => values!(i64),
        "<i4" => values!(i32),
        "<i2" => values!(i16),
        "<u2" => values!(u16),
        "<u4" => values!(u32),
        "|u1" => values!(u8),
        text if text.starts_with("<U") => return None,
        other => panic!("dtype {other}"),
    })
}
