//! The links of this peer as a picture, and as a table for those who don't see it.

use converge_p2p::hooks::use_presence;
use converge_p2p::{LinkReport, PeerId, PeerState, RoomReport};
use leptos::prelude::*;

use super::Profile;
use super::quality::{bars, rtt};
use crate::parts::tint;
use crate::words::{connection as words, millis, room::YOU};

/// How far from the middle the others are.
const RADIUS: u32 = 86;

/// Oneself in the middle, everybody else around, and a line for each link.
#[component]
pub(super) fn Mesh(report: Signal<Option<RoomReport>>) -> impl IntoView {
    let profiles = use_presence::<Profile>();
    let name = move |peer: PeerId| Profile::name(profiles.of(peer).get().as_ref(), peer);
    let links =
        Memo::new(move |_| report.with(|report| report.as_ref().map(|it| it.links.clone())).unwrap_or_default());
    let own = Memo::new(move |_| report.with(|report| report.as_ref().and_then(|report| report.id)));
    let alone = Signal::derive(move || links.with(Vec::is_empty));
    let summary = Signal::derive(move || links.with(|links| summary(links)));
    let picture = move || {
        let links = links.get();
        let count = links.len();
        let lines: Vec<_> = links.iter().enumerate().map(|(number, link)| line(link, (number, count))).collect();
        let initial = |peer| name(peer).chars().take(1).collect::<String>();
        let other = |(number, link): (usize, &LinkReport)| node(link.peer, initial(link.peer), place(number, count));
        let nodes: Vec<_> = links.iter().enumerate().map(other).collect();
        let own = own.get().map(|own| node(own, YOU.to_owned(), String::new()));
        view! { <g transform="translate(160 110)">{lines} {nodes} {own}</g> }
    };
    let rows = move || {
        let row = |link: &LinkReport| {
            let time = rtt(link).map_or_else(|| words::NONE.to_owned(), millis);
            view! {
                <tr>
                    <th scope="row">{name(link.peer)}</th>
                    <td>{words::way(link)}</td>
                    <td>{time}</td>
                    <td>{words::state(link.state)}</td>
                </tr>
            }
        };
        links.get().iter().map(row).collect::<Vec<_>>()
    };
    view! {
        <div class="mesh" hidden=alone>
            <svg class="mesh-picture" viewBox="0 0 320 220" role="img" aria-label=summary>
                {picture}
            </svg>
            <table class="mesh-table">
                <caption>{words::LINKS}</caption>
                <thead>
                    <tr>
                        <th scope="col">{words::PERSON}</th>
                        <th scope="col">{words::WAY}</th>
                        <th scope="col">{words::ROUND_TRIP}</th>
                        <th scope="col">{words::STATE}</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

/// Moves what is drawn around the middle to the that-many-th place on a circle, upright. In whole degrees, by the browser:
/// the code for sines and cosines is large.
fn place(number: usize, count: usize) -> String {
    let degrees = number * 360 / count.max(1);
    format!("rotate({degrees}) translate(0 -{RADIUS}) rotate(-{degrees})")
}

fn line(link: &LinkReport, (number, count): (usize, usize)) -> AnyView {
    let way = match &link.path {
        Some(path) if path.is_relayed() => " relayed",
        _ => "",
    };
    let class = format!("mesh-link bars-{}{way}", bars(link));
    let turn = format!("rotate({})", number * 360 / count.max(1));
    view! { <path class=class d=format!("M0 0V-{RADIUS}") transform=turn/> }.into_any()
}

fn node(peer: PeerId, text: String, transform: String) -> AnyView {
    view! {
        <g class=format!("mesh-node {}", tint(peer)) transform=transform>
            <circle r="18"/>
            <text text-anchor="middle" dy="5">
                {text}
            </text>
        </g>
    }
    .into_any()
}

fn summary(links: &[LinkReport]) -> String {
    let count = |wanted: fn(&LinkReport) -> bool| links.iter().filter(|link| wanted(link)).count();
    let open = count(|link| link.state == PeerState::Connected);
    let relayed =
        count(|link| link.state == PeerState::Connected && link.path.as_ref().is_some_and(|path| path.is_relayed()));
    words::mesh(open - relayed, relayed, links.len() - open)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_a_place_of_their_own() {
        let places = |count| (0..count).map(|number| place(number, count)).collect::<std::collections::HashSet<_>>();
        for count in [1, 2, 7, 24, 256] {
            assert_eq!(places(count).len(), count);
        }
        assert_eq!(place(0, 1), "rotate(0) translate(0 -86) rotate(-0)");
    }
}
