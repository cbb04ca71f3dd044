//! The part of HTTP/2 (RFC 9113) that a client needs to request much and read little. The listener's tests use it too.

/// Frame types (section 6).
pub(crate) const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const WINDOW_UPDATE: u8 = 8;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// The setting of a stream's initial flow-control window (section 6.5.2).
const INITIAL_WINDOW_SIZE: u16 = 4;

/// The largest flow-control window (section 6.9.1), and the one that a connection begins with.
pub(crate) const WIDEST: u32 = (1 << 31) - 1;
const FIRST: u32 = 65_535;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or_default().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// Opens a connection with this flow-control window for each stream, and the largest for all together.
pub(crate) fn opening(window: u32) -> Vec<u8> {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    let setting = [&INITIAL_WINDOW_SIZE.to_be_bytes()[..], &window.to_be_bytes()[..]].concat();
    bytes.extend(frame(SETTINGS, 0, 0, &setting));
    bytes.extend(frame(WINDOW_UPDATE, 0, 0, &(WIDEST - FIRST).to_be_bytes()));
    bytes
}

/// Requests a path, of fewer than 127 bytes as the host is too. The first stream is 1, and each later one 2 higher.
pub(crate) fn get(stream: u32, host: &str, path: &str) -> Vec<u8> {
    // By HPACK's static table (RFC 7541, appendix A): `:method: GET`, `:scheme: https`, then `:authority` and `:path`.
    let mut block = vec![0x82, 0x87];
    for (name, value) in [(1, host), (4, path)] {
        block.extend([name, u8::try_from(value.len()).unwrap_or_default()]);
        block.extend(value.bytes());
    }
    frame(HEADERS, END_STREAM | END_HEADERS, stream, &block)
}
