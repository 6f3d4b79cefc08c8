import MeteringModel
import MeteringPorts

/// Works out what Stripe is still to be told of one customer and meter. Pure.
///
/// Within a month of UTC, what is to be sent is the difference between the whole units used so far
/// and the whole units planned so far; parts of a unit are carried into the next window and month.
/// A window that holds more than was planned for it gives an event; one that holds less (usage was
/// taken back) is set off against the others of its month, and what is left is a credit. So the sum
/// of a month's events is its usage in whole units, or more by exactly the credit.
struct MeterEventPlanner: Sendable {
    /// Length of a window; windows begin at multiples of it since 1970 UTC: hours or days.
    var windowSeconds: Int64
    /// Decimal places of the meter.
    var scale: Int
    /// Windows that end after it are not looked at yet.
    var settledTo: Timestamp
    /// A month that ends before it is looked at for the last time: Stripe takes no more events of it.
    var reachFrom: Timestamp

    /// Usage in smallest units; several for one window add up.
    struct Usage: Sendable, Hashable {
        var start: Timestamp
        var units: Int64
    }

    struct Increment: Sendable, Hashable {
        var window: Period
        var revision: Int
        var value: Int64
    }

    struct Credit: Sendable, Hashable {
        var month: Timestamp
        /// 0: there is none.
        var units: Int64
    }

    struct Result: Sendable, Hashable {
        /// In the order of their windows.
        var increments: [Increment] = []
        /// One for each month looked at.
        var credits: [Credit] = []
        var account: MeterAccount
    }

    /// Whole units do not fit, or the meter has more decimal places than can be computed with.
    struct Overflow: Error, Sendable {}

    private struct Window {
        var start: Timestamp
        var used: Int128 = 0
        var planned: Int128 = 0
    }

    /// - Parameters:
    ///   - usage: from `account.month` on, in any order.
    ///   - history: windows from `account.month` on.
    func plan(
        _ account: MeterAccount, _ usage: [Usage], _ history: [MeterEventHistory.Window]
    ) throws(Overflow) -> Result {
        guard (0...18).contains(scale) else { throw Overflow() }
        let unit = (0..<scale).reduce(Int128(1)) { product, _ in product * 10 }
        let revisions = Dictionary(
            history.map { ($0.start, $0.lastRevision) }, uniquingKeysWith: max)
        var result = Result(account: account)
        var rest = Int128(account.rest)
        for (month, windows) in months(account, usage, history) {
            var (units, planned) = (rest, Int128(0))
            var (surplus, open): (Int128, [(window: Window, missing: Int128)]) = (0, [])
            for window in windows {
                let before = Self.floor(units, unit)
                units += window.used
                planned += window.planned
                let missing = Self.floor(units, unit) - before - window.planned
                if missing > 0 { open.append((window, missing)) } else { surplus -= missing }
            }
            for (window, missing) in open {
                let offset = min(surplus, missing)
                surplus -= offset
                guard missing > offset else { continue }
                guard let value = Int64(exactly: missing - offset) else { throw Overflow() }
                result.increments.append(
                    Increment(
                        window: Period(
                            start: window.start, end: window.start.adding(seconds: windowSeconds)),
                        revision: (revisions[window.start] ?? 0) + 1, value: value))
            }
            guard let credit = Int64(exactly: surplus) else { throw Overflow() }
            result.credits.append(Credit(month: month, units: credit))
            rest = units - Self.floor(units, unit) * unit
            let next = Self.monthStart(after: month)
            if next <= reachFrom, next <= settledTo {
                result.account.month = next
                // Less than one unit of at most 10^18.
                result.account.rest = Int64(truncatingIfNeeded: rest)
            }
        }
        return result
    }

    /// Every month from the account's to the settled one, each with its windows in order.
    private func months(
        _ account: MeterAccount, _ usage: [Usage], _ history: [MeterEventHistory.Window]
    ) -> [(month: Timestamp, windows: [Window])] {
        var windows: [Timestamp: Window] = [:]
        func start(_ instant: Timestamp) -> Timestamp {
            Timestamp(seconds: instant.seconds.floorDivided(by: windowSeconds) * windowSeconds)
        }
        for part in usage {
            let window = start(part.start)
            if window < account.from || window < account.month { continue }
            if window.adding(seconds: windowSeconds) > settledTo { continue }
            windows[window, default: Window(start: window)].used += Int128(part.units)
        }
        // Planned under a longer or shorter window: it counts where it begins.
        for part in history where part.start >= account.month {
            let window = start(part.start)
            windows[window, default: Window(start: window)].planned += Int128(part.units)
        }
        var found: [(month: Timestamp, windows: [Window])] = []
        var rest = windows.values.sorted { $0.start < $1.start }[...]
        var month = account.month
        repeat {
            let next = Self.monthStart(after: month)
            let own = rest.prefix { $0.start < next }
            found.append((month, Array(own)))
            rest = rest.dropFirst(own.count)
            month = next
        } while month < settledTo || !rest.isEmpty
        return found
    }

    private static func floor(_ units: Int128, _ unit: Int128) -> Int128 {
        let (quotient, remainder) = units.quotientAndRemainder(dividingBy: unit)
        return remainder < 0 ? quotient - 1 : quotient
    }

    // MARK: months of UTC

    static func monthStart(containing instant: Timestamp) -> Timestamp {
        let date = CivilDate(daysSinceEpoch: Int(instant.seconds.floorDivided(by: 86_400)))
        return start(CivilDate(year: date.year, month: date.month, day: 1))
    }

    static func monthStart(after instant: Timestamp) -> Timestamp {
        let date = CivilDate(daysSinceEpoch: Int(instant.seconds.floorDivided(by: 86_400)))
        let first = CivilDate(year: date.year, month: date.month, day: 1)
        return start(first.adding(months: 1))
    }

    private static func start(_ date: CivilDate) -> Timestamp {
        Timestamp(seconds: Int64(date.daysSinceEpoch) * 86_400)
    }
}
