import Foundation
import MeteringModel
import Rating
import Testing

struct Unreadable: Error { var name: String }

func instant(_ text: String) throws -> Timestamp {
    guard let value = Timestamp(rfc3339: text) else { throw Unreadable(name: text) }
    return value
}

/// 00:00 UTC of a day: `day("2026-02-01")`.
func day(_ text: String) throws -> Timestamp { try instant(text + "T00:00:00Z") }

/// Real zone files of this machine; a missing one fails the test.
func zone(_ name: String) throws -> TimeZoneRules {
    let url = URL(fileURLWithPath: "/usr/share/zoneinfo/\(name)")
    let bytes = [UInt8](try Data(contentsOf: url))
    guard let rules = TimeZoneRules(name: name, tzif: bytes) else { throw Unreadable(name: name) }
    return rules
}

func decimal(_ text: String) throws -> ExactDecimal {
    guard let value = ExactDecimal(text) else { throw Unreadable(name: text) }
    return value
}

func currency(_ code: String) throws -> Currency {
    guard let value = Currency(code) else { throw Unreadable(name: code) }
    return value
}

func tier(_ upTo: Int64?, _ unit: String, flat: String = "0") throws -> PriceTier {
    PriceTier(upTo: upTo, unit: try decimal(unit), flat: try decimal(flat))
}

/// November 2026: 30 days.
func november() throws -> Period {
    Period(start: try day("2026-11-01"), end: try day("2026-12-01"))
}

/// One span, or several, of November at one price and cumulative readings.
func charge(
    _ spans: [(until: String, price: UsagePrice?, reading: Int64)], currency code: String = "EUR",
    scale: Int = 0, limit: Limit? = nil
) throws -> UsageCharge {
    var charge = UsageCharge(
        feature: "tokens", meter: "llm", scale: scale, period: try november(), spans: [])
    for span in spans {
        charge.spans.append(
            UsageSpan(
                from: charge.spans.last?.to ?? charge.period.start, to: try day(span.until),
                price: span.price, currency: try currency(code), source: "plan pro v1",
                limit: limit, before: charge.spans.last?.after ?? 0, after: span.reading))
    }
    return charge
}

func charge(
    _ price: UsagePrice, used: Int64, currency code: String = "EUR", scale: Int = 0,
    limit: Limit? = nil
) throws -> UsageCharge {
    try charge(
        [("2026-12-01", price, used)], currency: code, scale: scale, limit: limit)
}

func sum(_ lines: [RatedLine]) -> Int64 { lines.reduce(0) { $0 + $1.amount } }

/// A small seeded generator (SplitMix64), so that a failing case can be found again.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
        return word ^ (word >> 31)
    }
}
