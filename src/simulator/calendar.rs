//! Days off: which they are, and how they thin out sessions.

/// Seconds in a day.
pub(super) const DAY: i64 = 86_400;

/// Seconds in a Julian year, Eventsim's year.
pub(super) const YEAR: f64 = 365.25 * 86_400.0;

/// Year, month and day of month of a day counted from 1970-01-01 (Howard Hinnant's algorithm).
pub(super) fn civil(day: i64) -> (i64, u32, u32) {
    let z = day + 719_468;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * of_year + 2) / 153;
    let day_of_month = (of_year - (153 * month_index + 2) / 5 + 1) as u32;
    let month = (if month_index < 10 { month_index + 3 } else { month_index - 9 }) as u32;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day_of_month)
}

/// Day of the week, 0 = Sunday.
pub(super) fn weekday(day: i64) -> i64 {
    (day + 4).rem_euclid(7)
}

/// Whether the day is one of the seven US holidays that Eventsim knows; none is moved to a working day.
pub(super) fn is_holiday(day: i64) -> bool {
    let (_, month, date) = civil(day);
    match (month, date) {
        (1, 1) | (7, 4) | (11, 11) | (12, 25) => true,
        (5, 25..=31) | (9, 1..=7) => weekday(day) == 1,
        (11, 22..=28) => weekday(day) == 4,
        _ => false,
    }
}

fn is_off(day: i64) -> bool {
    matches!(weekday(day), 0 | 6) || is_holiday(day)
}

/// Thinning of sessions on days off.
#[derive(Debug, Clone, Copy)]
pub(super) struct Damping {
    /// Share of sessions that a day off drops.
    pub(super) share: f64,
    /// Seconds before midnight at which a change begins.
    pub(super) offset: f64,
    /// Seconds that a change takes.
    pub(super) scale: f64,
}

impl Damping {
    /// Share of sessions dropped at `second` since 1970.
    pub(super) fn at(&self, second: i64) -> f64 {
        let day = second.div_euclid(DAY);
        let since = second.rem_euclid(DAY) as f64;
        let left = DAY as f64 - since;
        let Damping { offset, scale, .. } = *self;
        // How far a change has gone, 0 to 1, `passed` seconds after its beginning.
        let gone = |passed: f64| (passed / scale).clamp(0.0, 1.0);
        let damped = match (is_off(day - 1), is_off(day), is_off(day + 1)) {
            (before, true, after) => {
                let begun = if before { 1.0 } else { gone(since + offset) };
                let not_ended = if after { 1.0 } else { gone(left + offset) };
                begun.min(not_ended)
            }
            (before, false, after) => {
                let ending = if before { gone(offset - since) } else { 0.0 };
                let beginning = if after { gone(offset - left) } else { 0.0 };
                ending.max(beginning)
            }
        };
        self.share * damped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2024-05-06, a Monday.
    const MONDAY: i64 = 19_849;
    const HOUR: i64 = 3600;

    #[test]
    fn days_have_their_names() {
        assert_eq!(civil(MONDAY), (2024, 5, 6));
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(-1), (1969, 12, 31));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(weekday(MONDAY), 1);
    }

    #[test]
    fn a_year_has_seven_holidays() {
        // 2024 begins on day 19,723.
        let days: Vec<_> = (19_723..19_723 + 366).filter(|&day| is_holiday(day)).map(civil).collect();
        let expected =
            [(1, 1), (5, 27), (7, 4), (9, 2), (11, 11), (11, 28), (12, 25)].map(|(m, d)| (2024, m, d));
        assert_eq!(days, expected);
    }

    #[test]
    fn damping_ramps_round_midnight() {
        let damping = Damping { share: 0.5, offset: 3.0 * 3600.0, scale: 6.0 * 3600.0 };
        let at = |day: i64, hour: i64| damping.at((MONDAY + day) * DAY + hour * HOUR);
        assert_eq!([at(0, 12), at(4, 20), at(4, 21)], [0.0, 0.0, 0.0]);
        // Friday to Saturday: half of it at midnight, all of it from 3 o'clock on.
        assert_eq!([at(5, 0), at(5, 3), at(5, 23), at(6, 12)], [0.25, 0.5, 0.5, 0.5]);
        // Sunday to Monday.
        assert_eq!([at(6, 21), at(7, 0), at(7, 3)], [0.5, 0.25, 0.0]);
        // Memorial Day, a Monday after a weekend.
        assert_eq!([at(20, 23), at(21, 1), at(21, 20), at(22, 0)], [0.5, 0.5, 0.5, 0.25]);
    }
}
