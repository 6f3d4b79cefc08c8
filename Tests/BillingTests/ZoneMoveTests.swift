import Entitlements
import Foundation
import MeteringModel
import MeteringPorts
import Testing

@testable import Billing

/// A customer that moves to another time zone: hours between the two zones' midnights are billed
/// once, whenever their usage becomes known.
@Suite("Usage around a move to another time zone") struct ZoneMoveTests {
    struct Move: Sendable, CustomTestStringConvertible {
        var from: String
        var to: String
        var unit: PeriodUnit
        var anchor: MeteredEntitlement.Anchor
        var testDescription: String { "\(from) to \(to), \(unit) by \(anchor)" }

        static let all: [Move] = [
            ("Asia/Tokyo", "UTC"), ("UTC", "Asia/Tokyo"),
            ("Pacific/Kiritimati", "Pacific/Honolulu"), ("Pacific/Honolulu", "Pacific/Kiritimati"),
        ].flatMap { from, to in
            [
                (PeriodUnit.month, MeteredEntitlement.Anchor.calendar),
                (.month, .subscription), (.day, .calendar),
            ].map { Move(from: from, to: to, unit: $0, anchor: $1) }
        }
    }

    /// One cent a unit, nothing included: what is billed is what was used, whatever the periods.
    private static func catalog(_ move: Move) -> Catalog {
        PriceList.catalog(plans: [
            PriceList.plan(
                "pro", 1, UsagePrice(model: .perUnit(decimal("0.01"))), fee: nil,
                period: move.unit, anchor: move.anchor)
        ])
    }

    /// A use in every hour from two days before each month's first to two days after.
    private static func uses() -> [(id: String, time: Timestamp, value: Int64)] {
        var uses: [(id: String, time: Timestamp, value: Int64)] = []
        for month in ["2026-08", "2026-09", "2026-10", "2026-11", "2026-12"] {
            let first = at(month + "-01T00:30:00Z")
            for hour in -48..<48 {
                let time = first.adding(seconds: Int64(hour) * 3_600)
                uses.append((id: "u\(uses.count)", time: time, value: 1 + Int64(uses.count % 7)))
            }
        }
        return uses
    }

    private static func move(_ shop: Shop, to zone: String) throws {
        try shop.book.change(
            .customer, "acme", "acme", json(#"{"id":"acme","time_zone":"\#(zone)"}"#),
            request: "move-\(zone)", at: shop.clock.now, publishes: true)
        try shop.usage.restate(now: shop.clock.now)
    }

    @Test("every hour is billed once", arguments: Move.all)
    func hours(_ move: Move) async throws {
        let shop = try Shop(Self.catalog(move), now: "2026-07-15T00:00:00Z")
        try shop.customer("acme", zone: move.from)
        try shop.subscribe("acme", plan: "pro", start: "2026-07-15T00:00:00Z")
        var lateOnes: [(id: String, time: Timestamp, value: Int64)] = []
        var total: Int64 = 0
        func count(_ until: String, isLate: Bool = false) throws {
            shop.clock.set(until)
            for (index, use) in Self.uses().enumerated() where use.time <= shop.clock.now {
                let comesLate = index % 11 == 3
                guard comesLate == isLate,
                    !shop.usage.events.contains(where: { $0.id == use.id })
                else { continue }
                try shop.usage.record(
                    use.id, "acme", use.value, use.time, now: shop.clock.now)
                total += use.value
                if comesLate { lateOnes.append(use) }
            }
        }
        // October is closed in the old zone, November in the new one.
        try count("2026-11-10T00:00:00Z")
        try await shop.round()
        try Self.move(shop, to: move.to)
        try await shop.round()
        try count("2026-11-20T00:00:00Z", isLate: true)
        try await shop.round()
        try count("2026-12-10T00:00:00Z")
        try await shop.round()
        try count("2026-12-20T00:00:00Z", isLate: true)
        try await shop.round()
        let voided = try #require(lateOnes.first { $0.time > at("2026-10-31T00:00:00Z") })
        try shop.usage.void(voided.id, now: shop.clock.now)
        total -= voided.value
        // December's period by subscription ends in January.
        shop.clock.set("2027-02-10T00:00:00Z")
        try await shop.round()
        #expect(try shop.billed("acme") == [.eur: total])
        let check = try await shop.check()
        #expect(check["drift_count"]?.integer == 0, "\(check.canonicalText)")
        #expect(check["waiting_count"]?.integer == 0, "\(check.canonicalText)")
    }

    @Test("there and back again") func thereAndBack() async throws {
        let move = Move(from: "Asia/Tokyo", to: "UTC", unit: .month, anchor: .calendar)
        let shop = try Shop(Self.catalog(move), now: "2026-07-15T00:00:00Z")
        try shop.customer("acme", zone: move.from)
        try shop.subscribe("acme", plan: "pro", start: "2026-07-15T00:00:00Z")
        var total: Int64 = 0
        for (zone, date) in [
            ("UTC", "2026-09-10T00:00:00Z"), ("Asia/Tokyo", "2026-10-10T00:00:00Z"),
            ("Pacific/Honolulu", "2026-11-10T00:00:00Z"), ("UTC", "2026-12-10T00:00:00Z"),
        ] {
            shop.clock.set(date)
            for use in Self.uses() where use.time <= shop.clock.now {
                if shop.usage.events.contains(where: { $0.id == use.id }) { continue }
                try shop.usage.record(use.id, "acme", use.value, use.time, now: shop.clock.now)
                total += use.value
            }
            try await shop.round()
            try Self.move(shop, to: zone)
            try await shop.round()
        }
        shop.clock.set("2027-02-10T00:00:00Z")
        try await shop.round()
        #expect(try shop.billed("acme") == [.eur: total])
        let check = try await shop.check()
        #expect(check["drift_count"]?.integer == 0, "\(check.canonicalText)")
    }
}
