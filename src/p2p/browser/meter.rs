//! Whether somebody speaks into a microphone.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::Promise;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{AnalyserNode, AudioContext, MediaStream};

use super::listen::Timeout;

/// How often it is looked at.
const EVERY_MS: i32 = 100;

/// How many looks in a row without sound make a pause: between words nobody has stopped.
const PAUSE: u32 = 6;

/// Samples of one look: 21 ms at 48 kHz.
const SAMPLES: usize = 1024;

/// The mean square of samples from -128 to 127, over which it is speech: -36 dB of full scale. A quiet room is at -50.
const LOUD: u32 = 4;

/// Looks at a microphone's sound until dropped.
pub(super) struct Meter {
    context: AudioContext,
    _next: Rc<RefCell<Option<Timeout>>>,
}

impl Meter {
    /// Calls `tell` whenever somebody begins or stops to speak.
    pub(super) fn new(stream: &MediaStream, tell: impl Fn(bool) + 'static) -> Result<Self, JsValue> {
        let context = AudioContext::new()?;
        let next = Rc::new(RefCell::new(None));
        let meter = Self { context, _next: next.clone() };
        // It leads nowhere, so nothing is heard of it.
        let source = meter.context.create_media_stream_source(stream)?;
        let analyser = meter.context.create_analyser()?;
        analyser.set_fft_size(SAMPLES as u32);
        source.connect_with_audio_node(&analyser)?;
        // A context that was made without a click waits for this.
        meter.context.resume().map(settle)?;
        look(Rc::new(Look { analyser, next: Rc::downgrade(&next), quiet: RefCell::new(PAUSE), tell: Box::new(tell) }));
        Ok(meter)
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if let Ok(closed) = self.context.close() {
            settle(closed);
        }
    }
}

fn settle(promise: Promise) {
    spawn_local(async move {
        // A context that doesn't start, or is closed already, measures nothing: so be it.
        let _ = JsFuture::from(promise).await;
    });
}

struct Look {
    analyser: AnalyserNode,
    next: std::rc::Weak<RefCell<Option<Timeout>>>,
    /// Looks without sound since the last with some.
    quiet: RefCell<u32>,
    tell: Box<dyn Fn(bool)>,
}

fn look(look: Rc<Look>) {
    let Some(next) = look.next.upgrade() else { return };
    let mut samples = [0; SAMPLES];
    look.analyser.get_byte_time_domain_data(&mut samples);
    let before = *look.quiet.borrow();
    let quiet = if loudness(&samples) > LOUD { 0 } else { before.saturating_add(1) };
    *look.quiet.borrow_mut() = quiet;
    if (before >= PAUSE) != (quiet >= PAUSE) {
        (look.tell)(quiet < PAUSE);
    }
    // The handler that is running lives until its place is taken.
    let again = look.clone();
    let timeout = Timeout::new(EVERY_MS, move || self::look(again.clone()));
    *next.borrow_mut() = timeout;
}

/// The mean square of samples that have their zero at 128.
fn loudness(samples: &[u8]) -> u32 {
    let sum: u32 = samples.iter().map(|sample| sample.abs_diff(128)).map(|level| u32::from(level).pow(2)).sum();
    sum / samples.len().max(1) as u32
}
