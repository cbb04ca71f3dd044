//! The links in the room as a picture, and as a table for those who don't see it.

mod told;

use converge_p2p::hooks::use_presence;
use converge_p2p::{LinkReport, PeerId, PeerState, RoomReport, is_hidden};
use leptos::prelude::*;

use self::told::{AllTold, Edge, edges, use_told};
use super::quality::bars;
use super::{Profile, Shared};
use crate::parts::tint;
use crate::words::{connection as words, millis, room::YOU};

pub(super) use self::told::tell_links;

/// How far from the middle the others are.
const RADIUS: i32 = 86;

/// With more others than these, only one's own links are drawn: nobody could tell theirs apart.
const MOST_DRAWN: usize = 24;

/// Oneself in the middle, everybody else around, and a line for each link.
#[component]
pub(super) fn Mesh(report: Signal<Option<RoomReport>>) -> impl IntoView {
    let profiles = use_presence::<Profile>();
    let names = Shared::get().names;
    let name = move |peer: PeerId| names.get(peer, profiles.of(peer).get().as_ref());
    let links =
        Memo::new(move |_| report.with(|report| report.as_ref().map(|it| it.links.clone())).unwrap_or_default());
    let own = Memo::new(move |_| report.with(|report| report.as_ref().and_then(|report| report.id)));
    let told = use_told();
    let between = Memo::new(move |_| links.with(|links| told.with(|told| between(links, told))));
    let alone = Signal::derive(move || links.with(Vec::is_empty));
    let summary = Signal::derive(move || links.with(|links| between.with(|between| summary(links, between))));
    let picture = move || {
        let links = links.get();
        let count = links.len();
        let others = between.get().into_iter().map(|edge| {
            let [from, to] = [edge.ends.0, edge.ends.1].map(|number| place(number, count));
            line("mesh-link between", edge.bars, edge.relayed, across(from, to))
        });
        let others: Vec<_> = others.collect();
        let own_links = links.iter().enumerate().map(|(number, link)| {
            let (x, y) = place(number, count);
            line("mesh-link", bars(link), link.is_relayed(), format!("M0 0L{x} {y}"))
        });
        let own_links: Vec<_> = own_links.collect();
        let initial = |peer| name(peer).chars().find(|c| !is_hidden(*c)).into_iter().collect::<String>();
        let other = |(number, link): (usize, &LinkReport)| node(link.peer, initial(link.peer), place(number, count));
        let nodes: Vec<_> = links.iter().enumerate().map(other).collect();
        let own = own.get().map(|own| node(own, YOU.to_owned(), (0, 0)));
        view! { <g transform="translate(160 110)">{others} {own_links} {nodes} {own}</g> }
    };
    let rows = move || {
        let row = |link: &LinkReport| {
            let time = link.round_trip_ms().map_or_else(|| words::NONE.to_owned(), millis);
            view! {
                <tr>
                    <th scope="row">
                        <bdi translate="no">{name(link.peer)}</bdi>
                    </th>
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
                <tbody translate="no">{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

/// The links between the others, as far as they tell.
fn between(links: &[LinkReport], told: &AllTold) -> Vec<Edge> {
    if links.len() > MOST_DRAWN {
        return Vec::new();
    }
    let here: Vec<PeerId> = links.iter().map(|link| link.peer).collect();
    edges(&here, told)
}

/// That-many-th place on the circle around the middle, clockwise from the top.
fn place(number: usize, count: usize) -> (i32, i32) {
    let degrees = (number * 360 / count.max(1)) as i32;
    (on_circle(degrees), -on_circle(degrees + 90))
}

/// The radius times the sine of an angle in degrees, by Bhaskara's approximation of the seventh century, which is less than
/// a fifth of a pixel off: the code for exact sines is large.
fn on_circle(degrees: i32) -> i32 {
    let degrees = degrees % 360;
    let (angle, sign) = if degrees < 180 { (degrees, 1) } else { (degrees - 180, -1) };
    let product = angle * (180 - angle);
    let (part, whole) = (RADIUS * 4 * product, 40_500 - product);
    sign * ((2 * part + whole) / (2 * whole))
}

/// A line between two places; around the middle, where one's own links would cover it.
fn across((x, y): (i32, i32), (to_x, to_y): (i32, i32)) -> String {
    if (x + to_x).abs() + (y + to_y).abs() > RADIUS / 10 {
        return format!("M{x} {y}L{to_x} {to_y}");
    }
    format!("M{x} {y}Q{} {} {to_x} {to_y}", -y * 2 / 3, x * 2 / 3)
}

fn line(class: &str, bars: u32, relayed: bool, path: String) -> AnyView {
    let relayed = if relayed { " relayed" } else { "" };
    view! { <path class=format!("{class} bars-{bars}{relayed}") d=path/> }.into_any()
}

fn node(peer: PeerId, text: String, (x, y): (i32, i32)) -> AnyView {
    view! {
        <g class=format!("mesh-node {}", tint(peer)) transform=format!("translate({x} {y})")>
            <circle r="18"/>
            <text text-anchor="middle" dy="5" translate="no">
                {text}
            </text>
        </g>
    }
    .into_any()
}

fn summary(links: &[LinkReport], between: &[Edge]) -> String {
    let count = |wanted: fn(&LinkReport) -> bool| links.iter().filter(|link| wanted(link)).count();
    let (open, relayed) = (count(|link| link.state == PeerState::Connected), count(LinkReport::is_relayed));
    let own = words::mesh(open - relayed, relayed, links.len() - open);
    if between.is_empty() {
        return own;
    }
    let count = |wanted: fn(&Edge) -> bool| between.iter().filter(|edge| wanted(edge)).count();
    let (relayed, broken) = (count(|edge| edge.open && edge.relayed), count(|edge| !edge.open));
    words::mesh_between(own, between.len() - relayed - broken, relayed, broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_a_place_of_their_own_on_the_circle() {
        for count in [1, 2, 7, 24, 256] {
            let places: Vec<_> = (0..count).map(|number| place(number, count)).collect();
            assert_eq!(places.iter().collect::<std::collections::HashSet<_>>().len(), count);
            for (x, y) in places {
                let distance = f64::from(x * x + y * y).sqrt();
                assert!((distance - f64::from(RADIUS)).abs() < 1.0, "{x} {y}");
            }
        }
        assert_eq!([0, 1, 2, 3].map(|number| place(number, 4)), [(0, -86), (86, 0), (0, 86), (-86, 0)]);
    }

    #[test]
    fn a_line_between_opposites_goes_around_the_middle() {
        let [top, right, bottom] = [0, 1, 2].map(|number| place(number, 4));
        assert_eq!(across(top, right), "M0 -86L86 0");
        assert_eq!(across(top, bottom), "M0 -86Q57 0 0 86");
    }
}
