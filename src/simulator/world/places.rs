//! Where listeners live. States, their weights (millions of inhabitants), their postal prefixes and a point in them are
//! facts; cities and codes within them are made up.

use super::super::random::Random;
use super::Place;

/// Code, inhabitants in millions, first and last three-digit prefix of its postal codes, latitude and longitude of its
/// middle, and half its height and width in degrees.
type Outline = (&'static str, f64, u32, u32, f64, f64, f64, f64);

const STATES: [Outline; 51] = [
    ("AL", 4.8, 350, 369, 32.8, -86.8, 1.6, 1.0),
    ("AK", 0.7, 995, 999, 63.0, -150.0, 3.5, 8.0),
    ("AZ", 6.4, 850, 865, 34.2, -111.8, 2.0, 1.8),
    ("AR", 2.9, 716, 729, 34.8, -92.4, 1.2, 1.3),
    ("CA", 37.3, 900, 961, 36.2, -119.4, 2.6, 1.6),
    ("CO", 5.0, 800, 816, 39.0, -105.4, 1.4, 2.4),
    ("CT", 3.6, 60, 69, 41.6, -72.7, 0.3, 0.6),
    ("DC", 0.6, 200, 205, 38.91, -77.02, 0.05, 0.05),
    ("DE", 0.9, 197, 199, 39.1, -75.5, 0.4, 0.1),
    ("FL", 18.8, 320, 349, 28.3, -81.8, 1.6, 0.7),
    ("GA", 9.7, 300, 319, 32.8, -83.5, 1.5, 1.2),
    ("HI", 1.4, 967, 968, 21.3, -157.9, 0.2, 0.2),
    ("ID", 1.6, 832, 838, 44.0, -114.5, 1.5, 1.5),
    ("IL", 12.8, 600, 629, 40.1, -89.2, 1.8, 1.2),
    ("IN", 6.5, 460, 479, 39.9, -86.3, 1.5, 1.0),
    ("IA", 3.0, 500, 528, 42.0, -93.5, 1.0, 2.2),
    ("KS", 2.9, 660, 679, 38.5, -98.3, 1.0, 2.8),
    ("KY", 4.3, 400, 427, 37.5, -85.3, 0.8, 2.0),
    ("LA", 4.5, 700, 714, 31.0, -92.0, 1.2, 1.2),
    ("ME", 1.3, 39, 49, 45.2, -69.2, 1.2, 1.0),
    ("MD", 5.8, 206, 219, 39.2, -76.8, 0.4, 0.9),
    ("MA", 6.5, 10, 27, 42.3, -71.8, 0.3, 0.9),
    ("MI", 9.9, 480, 499, 43.2, -84.8, 1.3, 1.2),
    ("MN", 5.3, 550, 567, 45.6, -94.5, 1.7, 1.3),
    ("MS", 3.0, 386, 397, 32.7, -89.7, 1.5, 0.9),
    ("MO", 6.0, 630, 658, 38.4, -92.5, 1.5, 1.9),
    ("MT", 1.0, 590, 599, 46.9, -110.0, 1.3, 4.0),
    ("NE", 1.8, 680, 693, 41.4, -99.0, 0.9, 3.0),
    ("NV", 2.7, 889, 898, 39.0, -117.0, 2.2, 1.7),
    ("NH", 1.3, 30, 38, 43.4, -71.5, 0.6, 0.4),
    ("NJ", 8.8, 70, 89, 40.2, -74.5, 0.7, 0.3),
    ("NM", 2.1, 870, 884, 34.4, -106.1, 1.9, 2.0),
    ("NY", 19.4, 100, 149, 42.5, -75.3, 0.9, 1.8),
    ("NC", 9.5, 270, 289, 35.5, -79.4, 0.7, 2.6),
    ("ND", 0.7, 580, 588, 47.4, -100.4, 1.0, 2.6),
    ("OH", 11.5, 430, 459, 40.3, -82.7, 1.2, 1.4),
    ("OK", 3.8, 730, 749, 35.5, -97.4, 1.1, 1.9),
    ("OR", 3.8, 970, 979, 44.0, -121.0, 1.5, 2.2),
    ("PA", 12.7, 150, 196, 40.9, -77.6, 0.8, 2.2),
    ("RI", 1.1, 28, 29, 41.7, -71.5, 0.2, 0.15),
    ("SC", 4.6, 290, 299, 33.9, -80.8, 0.8, 1.2),
    ("SD", 0.8, 570, 577, 44.4, -100.2, 1.0, 2.7),
    ("TN", 6.3, 370, 385, 35.8, -86.3, 0.5, 3.0),
    ("TX", 25.1, 750, 799, 31.4, -98.3, 2.8, 3.2),
    ("UT", 2.8, 840, 847, 39.4, -111.7, 1.7, 1.6),
    ("VT", 0.6, 50, 59, 44.0, -72.7, 0.8, 0.4),
    ("VA", 8.0, 220, 246, 37.6, -78.4, 0.8, 1.9),
    ("WA", 6.7, 980, 994, 47.4, -120.6, 1.2, 2.4),
    ("WV", 1.9, 247, 268, 38.7, -80.7, 0.9, 1.1),
    ("WI", 5.7, 530, 549, 44.5, -89.7, 1.4, 1.5),
    ("WY", 0.6, 820, 831, 43.0, -107.5, 1.4, 2.8),
];

const FIRST: [&str; 48] = [
    "Cedar", "Maple", "Oak", "Pine", "Willow", "Elm", "Birch", "Clear", "Stone", "River", "Lake", "Spring",
    "Summer", "Winter", "Silver", "Golden", "Copper", "Iron", "Eagle", "Falcon", "Fox", "Bear", "Deer",
    "Elk", "North", "South", "East", "West", "Fair", "Green", "Red", "White", "Black", "Blue", "Sand",
    "Rock", "Mill", "Bridge", "Harbor", "Mead", "Ash", "Hazel", "Thorn", "Wheat", "Sun", "Moon", "King",
    "Queen",
];

const LAST: [&str; 24] = [
    "ville",
    "field",
    "ton",
    "burg",
    "wood",
    "port",
    "ford",
    "dale",
    "view",
    "mont",
    "brook",
    " Falls",
    " Springs",
    " Grove",
    " Heights",
    " City",
    " Creek",
    " Ridge",
    " Park",
    " Hollow",
    " Point",
    " Junction",
    " Valley",
    " Bluff",
];

/// Listeners, in millions of inhabitants, that one postal code stands for.
const INHABITANTS: f64 = 0.1;

/// Largest city's size, over that of a usual one.
const CITY: f64 = 12.0;

pub(super) fn places() -> Vec<Place> {
    let mut random = Random::new(0x0009_1ACE, 0);
    let mut places = Vec::new();
    for state in STATES {
        of_state(state, &mut random, &mut places);
    }
    places
}

fn of_state(state: Outline, random: &mut Random, places: &mut Vec<Place>) {
    let (code, inhabitants, first, last, lat, lon, height, width) = state;
    let count = ((inhabitants / INHABITANTS) as usize).max(6);
    let mut weights: Vec<f64> = (0..count).map(|rank| 1.0 + CITY / (rank as f64 + 1.0)).collect();
    let total: f64 = weights.iter().sum();
    weights.iter_mut().for_each(|weight| *weight *= inhabitants / total);
    let mut city = String::new();
    for (rank, weight) in weights.into_iter().enumerate() {
        // A city has some codes, the first of them the most.
        if rank == 0 || random.chance(0.6) {
            city = name(random);
        }
        // The codes of a prefix lie side by side, so each of them occurs once in its state.
        let prefixes = last - first + 1;
        let prefix = first + rank as u32 % prefixes;
        let suffix = (rank as u32 / prefixes * 7 + 1 + prefix * 13) % 100;
        let spread = |random: &mut Random, half: f64| (random.unit() + random.unit() - 1.0) * half;
        places.push(Place {
            city: city.clone(),
            zip: format!("{prefix:03}{suffix:02}"),
            state: code.to_owned(),
            lon: rounded(lon + spread(random, width)),
            lat: rounded(lat + spread(random, height)),
            weight,
        });
    }
}

fn name(random: &mut Random) -> String {
    let pick = |random: &mut Random, of: &[&'static str]| {
        of.get(random.below(of.len() as u64) as usize).copied().unwrap_or_default()
    };
    format!("{}{}", pick(random, &FIRST), pick(random, &LAST))
}

/// Six decimals, as in the census's files.
fn rounded(degrees: f64) -> f64 {
    libm::round(degrees * 1e6) / 1e6
}
