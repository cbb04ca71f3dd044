//! A picture of a peer, drawn from its key.

use converge_p2p::PeerId;
use leptos::prelude::*;

use crate::fingerprint::Fingerprint;

/// A small symmetric pattern in one of twelve colours: the same for everybody who sees this peer.
#[component]
pub(crate) fn Avatar(
    /// Whose; none while the own key is still being loaded.
    #[prop(into)]
    peer: Signal<Option<PeerId>>,
) -> impl IntoView {
    let class = Signal::derive(move || class(peer.get()));
    let pattern = Signal::derive(move || peer.get().map(pattern).unwrap_or_default());
    view! {
        <svg class=class viewBox="-1 -1 7 7" width="36" height="36" aria-hidden="true">
            <path d=pattern fill="currentColor"/>
        </svg>
    }
    .into_any()
}

fn class(peer: Option<PeerId>) -> String {
    match peer {
        Some(peer) => format!("avatar {}", tint(peer)),
        None => "avatar".to_owned(),
    }
}

/// The class of a peer's colour.
pub(crate) fn tint(peer: PeerId) -> String {
    format!("tint-{}", Fingerprint::of(peer).tint())
}

/// Five by five squares, mirrored left to right, as a path.
fn pattern(peer: PeerId) -> String {
    squares(Fingerprint::of(peer).pattern_bits())
}

/// Draws the squares whose bits are set, as a path.
fn squares(bits: u16) -> String {
    let mut path = String::new();
    for row in 0..5 {
        for column in 0..3 {
            if bits >> (row * 3 + column) & 1 == 0 {
                continue;
            }
            path.push_str(&format!("M{column} {row}h1v1h-1z"));
            if column < 2 {
                path.push_str(&format!("M{} {row}h1v1h-1z", 4 - column));
            }
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_looks_the_same_everywhere_and_unlike_another() {
        let (one, two) = (PeerId::from_bytes([1; 32]), PeerId::from_bytes([0xa2; 32]));
        assert_eq!(pattern(one), pattern(one));
        assert_ne!(pattern(one), pattern(two));
        assert_ne!(class(Some(one)), class(Some(two)));
    }

    #[test]
    fn patterns_are_symmetric() {
        for bits in [0x7fff, 0x1234, 0x0421] {
            let path = squares(bits);
            for row in 0..5 {
                for (left, right) in [(0, 4), (1, 3)] {
                    let has = |column: i32| path.contains(&format!("M{column} {row}h"));
                    assert_eq!(has(left), has(right));
                }
            }
        }
    }
}
