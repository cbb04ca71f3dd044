//! The tab's own identity: made once, kept in `sessionStorage`, and claimed so that a duplicated tab, which starts
//! with a copy of that storage, notices and makes its own.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use converge_signal::PeerId;
use js_sys::{Array, Function, Object, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{AbortController, BroadcastChannel, MessageEvent, Storage};

use super::ext::{LockManager, get};
use super::listen::{Listener, Timeout};
use crate::identity::Identity;

const KEY: &str = "converge:key";
const INCARNATION: &str = "converge:incarnation";

/// How long to wait for the lock of a key found in storage before asking whether a page holds it. The page before a
/// reload has gone by then; a tab that is still there has not.
const LOCK_WAIT_MS: i32 = 300;

/// How often to wait so long while no page holds it.
const LOCK_WAITS: usize = 20;

/// How long another tab has to answer on the broadcast channel, where there are no locks.
const ANSWER_WAIT_MS: i32 = 150;

thread_local! {
    /// The claim that the rooms of this page share.
    static CURRENT: RefCell<Weak<Claim>> = const { RefCell::new(Weak::new()) };
    /// Where storage is forbidden the key still lasts as long as the page.
    static UNSTORED: RefCell<Option<([u8; 32], u64)>> = const { RefCell::new(None) };
}

/// This page's hold on its key. Dropping it lets go.
pub(super) struct Claim {
    /// In life 0; rooms join in later ones.
    identity: Identity,
    release: RefCell<Option<Function>>,
    /// Answers tabs that ask for the key, where there are no locks.
    _answering: Option<(BroadcastChannel, Listener)>,
}

impl Claim {
    /// The identity in its next life.
    pub(super) fn next_life(&self) -> Identity {
        self.identity.reborn(next_incarnation(&self.identity))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(release) = self.release.take() {
            let _ = release.call0(&JsValue::UNDEFINED);
        }
        if let Some((channel, _)) = &self._answering {
            channel.close();
        }
    }
}

/// Claims the tab's key, or makes one. Takes no time in a new tab; after a reload, as long as the old page takes to go.
pub(super) async fn claim() -> Result<Rc<Claim>, JsValue> {
    if let Some(claim) = CURRENT.with_borrow(Weak::upgrade) {
        return Ok(claim);
    }
    let mut held = None;
    if let Some(secret) = stored_secret() {
        held = hold(secret).await;
        // Two rooms of one page may have waited side by side.
        if let Some(claim) = CURRENT.with_borrow(Weak::upgrade) {
            return Ok(claim);
        }
    }
    let claim = match held {
        Some(claim) => Rc::new(claim),
        None => fresh()?,
    };
    CURRENT.set(Rc::downgrade(&claim));
    Ok(claim)
}

/// A new key. It is nobody else's, so there is no need to wait for the lock.
fn fresh() -> Result<Rc<Claim>, JsValue> {
    let mut secret = [0; 32];
    random_bytes(&mut secret)?;
    let stored = storage().is_some_and(|storage| {
        storage.set_item(KEY, &as_text(&secret)).is_ok() && storage.set_item(INCARNATION, "0").is_ok()
    });
    if !stored {
        UNSTORED.set(Some((secret, 0)));
    }
    let identity = Identity::from_secret(&secret, 0);
    let name = lock_name(&identity);
    let claim = Rc::new(Claim { identity, release: RefCell::new(None), _answering: answering(&name) });
    if let Some(locks) = locks() {
        let weak = Rc::downgrade(&claim);
        spawn_local(async move {
            if let Lock::Granted(release) = lock(&locks, &name).await {
                match weak.upgrade() {
                    Some(claim) => claim.release.replace(Some(release)),
                    None => release.call0(&JsValue::UNDEFINED).ok().and(None),
                };
            }
        });
    }
    Ok(claim)
}

/// Holds a key found in storage, unless another tab does.
async fn hold(secret: [u8; 32]) -> Option<Claim> {
    let identity = Identity::from_secret(&secret, 0);
    let name = lock_name(&identity);
    let locked = match locks() {
        Some(locks) => lock(&locks, &name).await,
        None => Lock::Unavailable,
    };
    let release = match locked {
        Lock::Granted(release) => Some(release),
        Lock::Held => return None,
        Lock::Unavailable if claimed_elsewhere(&name).await => return None,
        Lock::Unavailable => None,
    };
    Some(Claim { identity, release: RefCell::new(release), _answering: answering(&name) })
}

/// The names carry the public half: other pages of this origin can list them.
fn lock_name(identity: &Identity) -> String {
    format!("converge:{}", identity.id())
}

/// The outcome of a request for a lock.
enum Lock {
    /// The lock is held until this function is called.
    Granted(Function),
    /// Another page holds on to it.
    Held,
    /// The browser gives this page no locks, as where it blocks cookies.
    Unavailable,
}

/// Takes a lock, waiting for a page that is on its way out.
async fn lock(locks: &LockManager, name: &str) -> Lock {
    let Ok(abort) = AbortController::new() else { return Lock::Unavailable };
    let options = Object::new();
    if Reflect::set(&options, &"signal".into(), &abort.signal()).is_err() {
        return Lock::Unavailable;
    }
    let release: Rc<RefCell<Option<Function>>> = Rc::default();
    let (refused, bell) = (Rc::new(Cell::new(false)), Bell::default());
    // The lock is held until the promise that this handler returns is resolved.
    let handler = Closure::<dyn FnMut(JsValue) -> Promise>::new({
        let (release, bell) = (release.clone(), bell.clone());
        move |_| {
            let held = Promise::new(&mut |let_go, _| {
                release.replace(Some(let_go));
            });
            bell.ring();
            held
        }
    });
    let Ok(request) = locks.request(name, &options, handler.as_ref()) else { return Lock::Unavailable };
    spawn_local({
        let (refused, bell) = (refused.clone(), bell.clone());
        async move {
            // Ends when the lock is given back, or with an error: if the browser refuses, or the wait is cut short.
            if JsFuture::from(request).await.is_err() {
                refused.set(true);
                bell.ring();
            }
        }
    });
    for _ in 0..LOCK_WAITS {
        bell.wait(LOCK_WAIT_MS).await;
        if let Some(release) = release.take() {
            return Lock::Granted(release);
        }
        if refused.get() {
            return Lock::Unavailable;
        }
        // On a busy machine the lock may be free, and the word of it still on its way.
        if is_held(locks, name).await {
            break;
        }
    }
    abort.abort();
    release.take().map_or(Lock::Held, Lock::Granted)
}

/// Whether some page holds a lock now.
async fn is_held(locks: &LockManager, name: &str) -> bool {
    let Ok(query) = locks.query() else { return true };
    let Ok(state) = JsFuture::from(query).await else { return true };
    let held = get(&state, "held").map(|held| Array::from(&held)).unwrap_or_default();
    held.iter().any(|lock| get(&lock, "name").and_then(|name| name.as_string()).as_deref() == Some(name))
}

/// Ends a wait early.
#[derive(Clone, Default)]
struct Bell(Rc<RefCell<Option<Function>>>);

impl Bell {
    fn ring(&self) {
        if let Some(waiting) = self.0.take() {
            let _ = waiting.call0(&JsValue::UNDEFINED);
        }
    }

    async fn wait(&self, millis: i32) {
        let mut timeout = None;
        let rung = Promise::new(&mut |resolve, _| {
            self.0.replace(Some(resolve.clone()));
            timeout = Timeout::new(millis, move || {
                let _ = resolve.call0(&JsValue::UNDEFINED);
            });
        });
        if timeout.is_some() {
            let _ = JsFuture::from(rung).await;
        }
    }
}

/// Asks the other tabs whether one of them has this key.
async fn claimed_elsewhere(name: &str) -> bool {
    let Ok(channel) = BroadcastChannel::new(name) else { return false };
    let answered: Rc<RefCell<bool>> = Rc::default();
    let mut listener = None;
    let mut timeout = None;
    let waited = Promise::new(&mut |resolve, _| {
        let (answered, done) = (answered.clone(), resolve.clone());
        listener = Some(Listener::new(&channel, "message", move |event| {
            if is_text(&event, "mine") {
                answered.replace(true);
                let _ = done.call0(&JsValue::UNDEFINED);
            }
        }));
        timeout = Timeout::new(ANSWER_WAIT_MS, move || {
            let _ = resolve.call0(&JsValue::UNDEFINED);
        });
    });
    if channel.post_message(&"whose?".into()).is_ok() && timeout.is_some() {
        let _ = JsFuture::from(waited).await;
    }
    drop(listener);
    channel.close();
    answered.take()
}

fn answering(name: &str) -> Option<(BroadcastChannel, Listener)> {
    if locks().is_some() {
        return None;
    }
    let channel = BroadcastChannel::new(name).ok()?;
    let reply = channel.clone();
    let listener = Listener::new(&channel, "message", move |event| {
        if is_text(&event, "whose?") {
            let _ = reply.post_message(&"mine".into());
        }
    });
    Some((channel, listener))
}

fn is_text(event: &web_sys::Event, text: &str) -> bool {
    event.dyn_ref::<MessageEvent>().is_some_and(|event| event.data().as_string().as_deref() == Some(text))
}

/// Missing over plain http, where pages are no secure context.
fn locks() -> Option<LockManager> {
    let navigator = web_sys::window()?.navigator();
    let locks = Reflect::get(&navigator, &"locks".into()).ok()?;
    (!locks.is_undefined() && !locks.is_null()).then(|| locks.unchecked_into())
}

/// Forbidden where cookies are.
fn storage() -> Option<Storage> {
    web_sys::window()?.session_storage().ok().flatten()
}

fn stored_secret() -> Option<[u8; 32]> {
    let text = storage().and_then(|storage| storage.get_item(KEY).ok().flatten());
    match text {
        Some(text) => from_text(&text),
        None => UNSTORED.with_borrow(|unstored| unstored.map(|(secret, _)| secret)),
    }
}

/// The key as storage keeps it: texts only. Written as ids are; it is none, but the same number of bytes.
fn as_text(secret: &[u8; 32]) -> String {
    PeerId::from_bytes(*secret).to_string()
}

fn from_text(text: &str) -> Option<[u8; 32]> {
    text.parse::<PeerId>().ok().map(|bytes| *bytes.as_bytes())
}

fn next_incarnation(identity: &Identity) -> u64 {
    let stored = storage().and_then(|storage| {
        let last: u64 = storage.get_item(INCARNATION).ok().flatten()?.parse().ok()?;
        let next = last.saturating_add(1);
        storage.set_item(INCARNATION, &next.to_string()).ok()?;
        Some(next)
    });
    stored.unwrap_or_else(|| {
        UNSTORED.with_borrow_mut(|unstored| {
            let (_, last) = unstored.get_or_insert_with(|| (identity.secret(), 0));
            *last += 1;
            *last
        })
    })
}

/// Fills the buffer with random bytes, good enough for keys.
pub(super) fn random_bytes(buffer: &mut [u8]) -> Result<(), JsValue> {
    let crypto = web_sys::window().ok_or(JsValue::UNDEFINED)?.crypto()?;
    crypto.get_random_values_with_u8_array(buffer).map(|_| ())
}
