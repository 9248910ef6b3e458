//! How are latencies drawn? Each share of the calls and what it did not exceed, the last ones widest.
//!
//! Every nine of a share gets the same room: 90 %, 99 %, 99.9 %. A curve ends where its calls do, since a thousand
//! calls say nothing of the slowest of ten thousand. One SVG without scripts, fonts or links.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use tikti_load::Tally;

use super::measure::{Measured, milliseconds};
use crate::exit::Failure;

const WIDTH: f64 = 800.0;
const HEIGHT: f64 = 480.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 780.0;
const TOP: f64 = 60.0;
const BOTTOM: f64 = 430.0;
/// Points of a curve for each nine.
const FINENESS: u32 = 20;
const MOST_NINES: f64 = 6.0;
/// Told apart without colours as well, by their dashes.
const STYLES: [(&str, &str); 2] = [("#0b5fff", "none"), ("#767676", "6 4")];

/// A name, and the latencies that it had.
type Curve<'a> = (&'a str, &'a Tally);

/// Draws what was measured, and the first baseline, into a file.
pub(super) fn write(file: &Path, title: &str, measured: &Measured) -> Result<(), Failure> {
    let beside = measured.baselines.first().map(|taken| (taken.what, &taken.tally));
    let curves = Vec::from_iter([("server", &measured.ran.tally)].into_iter().chain(beside));
    let drawn = draw(title, &curves);
    fs::write(file, drawn).map_err(|cause| Failure::file("writing", file, &cause))
}

fn draw(title: &str, curves: &[Curve<'_>]) -> String {
    let points = Vec::from_iter(curves.iter().map(|(_, tally)| points(tally)));
    let all = || points.iter().flatten();
    let nines = all().map(|(nines, _)| nines.ceil()).fold(1.0, f64::max);
    // A histogram tells three digits: what is a thousandth above a line is on it.
    let slowest = all().map(|(_, latency)| *latency).fold(0.0, f64::max) / 1.001;
    let step = step(slowest);
    let steps = (slowest / step).ceil().max(1.0);
    let place = |(at, latency): (f64, f64)| {
        let x = LEFT + (RIGHT - LEFT) * at / nines;
        let y = BOTTOM - (BOTTOM - TOP) * latency / (step * steps);
        (x, y)
    };
    let mut svg = Svg::begin(title);
    for number in 0..=steps as u32 {
        let latency = step * f64::from(number);
        let (_, y) = place((0.0, latency));
        svg.line((LEFT, y), (RIGHT, y));
        svg.text((LEFT - 8.0, y + 4.0), "end", &format!("{} ms", short(latency)));
    }
    for number in 0..=nines as u32 {
        let (x, _) = place((f64::from(number), 0.0));
        svg.line((x, TOP), (x, BOTTOM));
        svg.text((x, BOTTOM + 20.0), "middle", &share(number));
    }
    for (number, ((name, _), points)) in curves.iter().zip(&points).enumerate() {
        let style = STYLES.get(number % STYLES.len()).copied().unwrap_or(("#000", "none"));
        svg.curve(style, points.iter().map(|point| place(*point)));
        let x = LEFT + 200.0 * number as f64;
        svg.curve(style, [(x, 45.0), (x + 30.0, 45.0)].into_iter());
        svg.text((x + 38.0, 49.0), "start", name);
    }
    svg.text((f64::midpoint(LEFT, RIGHT), BOTTOM + 42.0), "middle", "share of the calls");
    svg.end()
}

/// Nines of a share and the latency that it did not exceed, in milliseconds.
fn points(tally: &Tally) -> Vec<(f64, f64)> {
    if tally.good() == 0 {
        return Vec::new();
    }
    let last = (tally.good() as f64).log10().min(MOST_NINES);
    let steps = (last * f64::from(FINENESS)).ceil() as u32;
    let inner = (0..steps).map(|step| f64::from(step) / f64::from(FINENESS));
    let inner = inner.map(|nines| (nines, 1.0 - 10_f64.powf(-nines)));
    let all = inner.chain([(last, 1.0)]);
    all.map(|(nines, share)| (nines, milliseconds(tally.latency(share)))).collect()
}

/// A step of which up to ten reach this far: 1, 2 or 5 times a power of ten.
fn step(most: f64) -> f64 {
    let least = (most / 10.0).max(1e-6);
    let power = 10_f64.powf(least.log10().floor());
    let factors = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
    factors.into_iter().find(|step| *step >= least).unwrap_or(10.0 * power)
}

/// Without what the arithmetic adds behind the digits.
fn short(value: f64) -> String {
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn share(nines: u32) -> String {
    match nines {
        0 => "0 %".to_owned(),
        1 => "90 %".to_owned(),
        2 => "99 %".to_owned(),
        more => format!("99.{} %", "9".repeat(more as usize - 2)),
    }
}

/// A document that grows.
struct Svg(String);

impl Svg {
    fn begin(title: &str) -> Self {
        let mut svg = Self(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n"
        ));
        svg.text((LEFT, 25.0), "start", title);
        svg
    }

    fn line(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        self.push(&format!(
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"#dddddd\"/>"
        ));
    }

    fn text(&mut self, (x, y): (f64, f64), anchor: &str, text: &str) {
        let text = escaped(text);
        self.push(&format!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"
        ));
    }

    fn curve(&mut self, (color, dashes): (&str, &str), points: impl Iterator<Item = (f64, f64)>) {
        let mut places = String::new();
        for (x, y) in points {
            // A text takes whatever is written to it.
            let _ = write!(places, "{x:.1},{y:.1} ");
        }
        let places = places.trim_end();
        self.push(&format!(
            "<polyline points=\"{places}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2\" \
             stroke-dasharray=\"{dashes}\"/>"
        ));
    }

    fn push(&mut self, element: &str) {
        self.0.push_str(element);
        self.0.push('\n');
    }

    fn end(self) -> String {
        self.0 + "</svg>\n"
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tikti_load::Outcome;

    use super::*;

    fn tally(milliseconds: impl Iterator<Item = u64>) -> Tally {
        let mut tally = Tally::default();
        for latency in milliseconds {
            tally.record(&Outcome::Good, Duration::from_millis(latency), None);
        }
        tally
    }

    /// Fails where an element is not ended, or ended twice, or a text holds what is markup.
    fn check_well_formed(svg: &str) {
        let mut open = Vec::new();
        for part in svg.split('<').skip(1) {
            let (tag, text) = part.split_once('>').unwrap();
            assert!(!text.contains('>'), "{part}");
            assert_eq!(tag.matches('"').count() % 2, 0, "{part}");
            let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
            match (tag.starts_with('/'), tag.ends_with('/')) {
                (true, _) => assert_eq!(open.pop(), Some(name), "{part}"),
                (false, false) => open.push(name),
                (false, true) => {}
            }
        }
        assert!(open.is_empty(), "{open:?}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[test]
    fn a_plot_is_what_was_drawn_before() {
        let (server, echo) = (tally(1..=100), tally(std::iter::repeat_n(5, 10)));
        let drawn =
            draw("tikti bench lookup: closed loop", &[("server", &server), ("echo", &echo)]);
        check_well_formed(&drawn);
        assert_eq!(
            drawn,
            include_str!("golden/plot.svg"),
            "look at it, then keep the one on the left"
        );
    }

    #[test]
    fn whatever_was_measured_can_be_drawn() {
        let none = Tally::default();
        let (one, long) = (tally([0].into_iter()), tally([59_999].into_iter()));
        for curves in [vec![], vec![("a", &none)], vec![("b", &one)], vec![("<&\">", &long)]] {
            check_well_formed(&draw("</svg> & \"co\"", &curves));
        }
    }

    #[test]
    fn a_curve_ends_where_its_calls_do() {
        let hundred = points(&tally(1..=100));
        let (nines, latency) = *hundred.last().unwrap();
        assert!((nines - 2.0).abs() < 1e-9 && (latency - 100.0).abs() < 0.1, "{nines} {latency}");
        // Half of them, by hand: 1 - 10^-0.3 is 49.9 %.
        let half = hundred.iter().find(|(nines, _)| (nines - 0.3).abs() < 1e-9).unwrap();
        assert!((half.1 - 50.0).abs() < 0.1, "{half:?}");
        assert!(hundred.is_sorted_by(|one, next| one.0 < next.0 && one.1 <= next.1));
    }

    #[test]
    fn steps_are_few_and_round() {
        for (most, expected) in [(10.0, 1.0), (11.0, 2.0), (0.3, 0.05), (999.0, 100.0), (0.0, 1e-6)]
        {
            assert!((step(most) - expected).abs() < expected * 1e-9, "{most}: {}", step(most));
        }
        assert_eq!([short(0.05), short(2.0), short(0.3)], ["0.05", "2", "0.3"]);
    }
}
