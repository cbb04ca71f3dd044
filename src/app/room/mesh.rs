//! The links of this peer as a picture, and as a table for those who don't see it.

use converge_p2p::hooks::use_presence;
use converge_p2p::{LinkReport, PeerId, RoomReport};
use leptos::prelude::*;

use super::quality::{bars, rtt, words};
use super::{Profile, doctor};
use crate::parts::tint;

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
        let places = places(links.len());
        let lines: Vec<_> = links.iter().zip(&places).map(|(link, place)| line(link, *place)).collect();
        let nodes: Vec<_> =
            links.iter().zip(&places).map(|(link, place)| node(link.peer, &name(link.peer), *place)).collect();
        let own = own.get().map(|own| node(own, "You", MIDDLE));
        view! { <g>{lines}</g><g>{nodes}</g><g>{own}</g> }
    };
    let rows = move || {
        let row = |link: &LinkReport| {
            let time = rtt(link).map_or_else(|| "–".to_owned(), |rtt| format!("{rtt} ms"));
            let way = words(link).split(',').next().unwrap_or_default().to_owned();
            view! {
                <tr>
                    <th scope="row">{name(link.peer)}</th>
                    <td>{way}</td>
                    <td>{time}</td>
                    <td>{doctor::state_words(link.state)}</td>
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
                <caption>"Links"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Person"</th>
                        <th scope="col">"Way"</th>
                        <th scope="col">"Round trip"</th>
                        <th scope="col">"State"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

type Place = (i32, i32);

const MIDDLE: Place = (160, 110);

/// On an ellipse around the middle, the first at the top.
fn places(count: usize) -> Vec<Place> {
    let turn = std::f64::consts::TAU / count.max(1) as f64;
    let place = |number: usize| {
        let angle = turn * number as f64 - std::f64::consts::FRAC_PI_2;
        (MIDDLE.0 + (130.0 * angle.cos()) as i32, MIDDLE.1 + (84.0 * angle.sin()) as i32)
    };
    (0..count).map(place).collect()
}

fn line(link: &LinkReport, (x, y): Place) -> AnyView {
    let way = match &link.path {
        Some(path) if path.is_relayed() => " relayed",
        _ => "",
    };
    let class = format!("mesh-link bars-{}{way}", bars(link));
    let path = format!("M{} {}L{x} {y}", MIDDLE.0, MIDDLE.1);
    view! { <path class=class d=path/> }.into_any()
}

fn node(peer: PeerId, name: &str, (x, y): Place) -> AnyView {
    let initial: String = if name == "You" { name.to_owned() } else { name.chars().take(1).collect() };
    let transform = format!("translate({x} {y})");
    view! {
        <g class=format!("mesh-node {}", tint(peer)) transform=transform>
            <circle r="18"/>
            <text text-anchor="middle" dy="5">
                {initial}
            </text>
        </g>
    }
    .into_any()
}

fn summary(links: &[LinkReport]) -> String {
    let count = |wanted: fn(&LinkReport) -> bool| links.iter().filter(|link| wanted(link)).count();
    let relayed = count(|link| bars(link) > 0 && link.path.as_ref().is_some_and(|path| path.is_relayed()));
    let open = count(|link| link.state == converge_p2p::PeerState::Connected);
    let others = if links.len() == 1 { "1 other".to_owned() } else { format!("{} others", links.len()) };
    let mut text = format!("You and {others}: {} direct", open.saturating_sub(relayed));
    if relayed > 0 {
        text += &format!(", {relayed} relayed");
    }
    if open < links.len() {
        text += &format!(", {} not connected", links.len() - open);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_a_place_of_their_own_inside_the_picture() {
        for count in [1, 2, 7, 24] {
            let places = places(count);
            assert_eq!(places.len(), count);
            for (number, place) in places.iter().enumerate() {
                assert!((18..=302).contains(&place.0) && (18..=202).contains(&place.1), "{place:?}");
                assert!(!places[..number].contains(place));
            }
        }
        assert_eq!(places(1), [(160, 26)]);
    }
}
