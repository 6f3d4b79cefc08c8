import MeteringModel
import Synchronization

/// Periods that were worked out lately: calendar arithmetic costs more than the rest of a check.
///
/// A slot's three words are stored and read without a lock. The first is the key mixed with the other
/// two, so words of different entries do not pass for one.
final class PeriodCache: Sendable {
    private static let slotCount = 2_048

    private final class Slot: Sendable {
        let mark = Atomic<UInt64>(0)
        let start = Atomic<Int64>(0)
        let end = Atomic<Int64>(0)
    }

    private let slots = (0..<slotCount).map { _ in Slot() }

    /// As `rule.period(containing:zone:)`.
    /// - Parameter hash: of names; zones of one name have the same rules.
    func period(
        _ rule: PeriodRule, containing instant: Timestamp, zone: TimeZoneRules, _ hash: KeyHash
    ) -> Period {
        if rule.unit == .lifetime { return .lifetime }
        let key = Self.key(rule, hash.hash(zone.name))
        let slot = slots[Int(truncatingIfNeeded: key) & (Self.slotCount - 1)]
        let start = slot.start.load(ordering: .relaxed)
        let end = slot.end.load(ordering: .relaxed)
        let found = Period(
            start: Timestamp(microseconds: start), end: Timestamp(microseconds: end))
        if slot.mark.load(ordering: .relaxed) == Self.mark(key, start, end),
            found.contains(instant)
        {
            return found
        }
        let period = rule.period(containing: instant, zone: zone)
        slot.start.store(period.start.microseconds, ordering: .relaxed)
        slot.end.store(period.end.microseconds, ordering: .relaxed)
        slot.mark.store(
            Self.mark(key, period.start.microseconds, period.end.microseconds),
            ordering: .relaxed)
        return period
    }

    private static func key(_ rule: PeriodRule, _ zone: UInt64) -> UInt64 {
        let unit: UInt64 =
            switch rule.unit {
            case .hour: 1
            case .day: 2
            case .week: 3
            case .month: 4
            case .year: 5
            case .lifetime: 6
            case .quarter: 7
            }
        switch rule.anchor {
        case .calendar: return mixed(zone ^ unit)
        case .subscription(let start):
            return mixed(mixed(zone ^ unit) ^ UInt64(bitPattern: start.microseconds))
        }
    }

    private static func mark(_ key: UInt64, _ start: Int64, _ end: Int64) -> UInt64 {
        mixed(mixed(key ^ UInt64(bitPattern: start)) ^ UInt64(bitPattern: end))
    }

    /// Spreads every bit over all others, one to one.
    private static func mixed(_ word: UInt64) -> UInt64 {
        var word = word &+ 0x9e37_79b9_7f4a_7c15
        word = (word ^ (word &>> 30)) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ (word &>> 27)) &* 0x94d0_49bb_1331_11eb
        return word ^ (word &>> 31)
    }
}
