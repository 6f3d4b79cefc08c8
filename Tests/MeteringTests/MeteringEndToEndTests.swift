import Enforcement
import Entitlements
import Foundation
import Metering
import MeteringModel
import MeteringPorts
import SQLLedger
import Testing

@Suite struct MeteringEndToEndTests {
    let folder: TemporaryFolder
    let clock = TestClock("2026-11-21T10:00:00Z")

    init() throws { folder = try TemporaryFolder() }

    private func totals(_ service: EmbeddedService) throws -> [String: Int64] {
        Dictionary(
            uniqueKeysWithValues: try service.ledger.totals().map {
                ("\($0.customer)/\($0.meter)", $0.value)
            })
    }

    @Test func countsEachIdentityOnceAcrossRestarts() async throws {
        var random = SystemRandomNumberGenerator()
        let events = (0..<2_000).map { Sample.event("e\($0)", tokens: "\($0 % 17)") }
        let expected = (0..<2_000).reduce(Int64(0)) { $0 + Int64($1 % 17) }
        var sent = 0
        for round in 0..<4 {
            let service = try await EmbeddedService(
                folder.path, Sample.catalog(), clock: clock, instance: "i\(round)")
            // Each round sends its share and repeats a random part of everything sent so far.
            let upTo = (round + 1) * 500
            for start in stride(from: sent, to: upTo, by: 100) {
                try await service.send(Array(events[start..<start + 100]))
                let again = Int.random(in: 0..<max(1, start), using: &random)
                try await service.send(Array(events[again..<min(again + 37, upTo)]))
            }
            sent = upTo
            // Every other round stops without waiting: the rest is read after the restart.
            if round % 2 == 0 { try await service.settle() }
            await service.stop()
        }
        let service = try await EmbeddedService(folder.path, Sample.catalog(), clock: clock)
        try await service.settle()
        #expect(try totals(service)["acme/tokens"] == expected)
        let report = try await service.reports.reconcile()
        #expect(report.drifts.isEmpty)
        #expect(report.eventsCounted == 2_000)
        await service.stop()
    }

    @Test func crossingsAppearOnceAndNameTheirUsage() async throws {
        let service = try await EmbeddedService(folder.path, Sample.catalog(), clock: clock)
        for number in 0..<12 {
            try await service.send([Sample.event("c\(number)", tokens: "100")])
            try await service.settle()
        }
        let crossings = try service.ledger.crossings(
            customer: nil, since: nil, after: 0, limit: 100)
        #expect(crossings.map(\.crossing.threshold.label) == ["80%", "100%"])
        #expect(crossings.first?.crossing.usedBefore == 700)
        #expect(crossings.first?.crossing.usedAfter == 800)
        let decision = try service.check("acme", "tokens")
        #expect(decision.isAllowed && decision.reason == .overage && decision.used == 1_200)
        #expect(decision.overage == 200 && decision.remaining == 0)
        await service.stop()
    }

    @Test(arguments: [
        ("{", "malformed"), ("[]", "malformed"), ("null", "malformed"),
        (Sample.event("x", tokens: "\"abc\""), "invalid_value"),
        (Sample.event("x", tokens: "-5"), "negative_value"),
        (Sample.event("x", tokens: "99999999999999999999"), "value_overflow"),
        (Sample.event("x", tokens: "1.5"), "value_too_precise"),
        (Sample.event("x", tokens: "null"), "missing_value"),
        (Sample.event("x", type: "other"), "unknown_type"),
        (Sample.event("x", subject: "nobody"), "unknown_subject"),
        (Sample.event("x", time: "2026-11-21T10:10:00Z"), "time_in_future"),
        (Sample.event("x", time: "2026-10-12T10:00:00Z"), "time_too_old"),
        (Sample.event("x", time: "yesterday"), "invalid_time"),
        (Sample.event("x", type: "tollgate.admission"), "reserved_type"),
    ])
    func setsBadEventsAsideAndCountsTheRest(_ bad: String, _ reason: String) async throws {
        let service = try await EmbeddedService(folder.path, Sample.catalog(), clock: clock)
        try await service.send([Sample.event("a"), bad, Sample.event("b")])
        try await service.settle()
        let aside = try service.ledger.setAside(kind: nil, after: 0, limit: 10)
        #expect(aside.map(\.event.reason) == [reason])
        #expect(aside.first?.event.offset == 1)
        #expect(aside.first?.event.payload == Array(bad.utf8))
        #expect(try totals(service)["acme/tokens"] == 20)
        await service.stop()
    }

    @Test func quarantineIsCountedOnceTheSubjectAppears() async throws {
        let service = try await EmbeddedService(folder.path, Sample.catalog(), clock: clock)
        try await service.send([Sample.event("q1", subject: "key_9")])
        try await service.settle()
        #expect(try await service.recorder.redrive(kind: .quarantine, limit: 10) == 0)
        try await service.replace(Sample.catalog(subjects: ["key_1", "key_9"]))
        #expect(try await service.recorder.redrive(kind: .quarantine, limit: 10) == 1)
        #expect(try await service.recorder.redrive(kind: .quarantine, limit: 10) == 0)
        try await service.settle()
        #expect(try totals(service)["acme/tokens"] == 10)
        await service.stop()
    }

    @Test func lateEventsCountInTheirOwnPeriodAndAreListed() async throws {
        let service = try await EmbeddedService(folder.path, Sample.catalog(), clock: clock)
        try await service.send([
            Sample.event("old", time: "2026-10-28T10:00:00Z"), Sample.event("new"),
        ])
        try await service.settle()
        #expect(try service.check("acme", "tokens", 0).used == 10)
        let adjustments = try service.ledger.adjustments(customer: "acme")
        #expect(adjustments.map(\.value) == [10])
        #expect(try totals(service)["acme/tokens"] == 20)
        await service.stop()
    }

    @Test func usageIsReportedByDayAndDimension() async throws {
        let service = try await EmbeddedService(folder.path, Sample.catalog(), clock: clock)
        try await service.send([
            Sample.event("1", tokens: "5", model: "m1"),
            Sample.event("2", tokens: "7", model: "m2"),
            Sample.event("3", tokens: "11", time: "2026-11-20T23:59:59Z", model: "m2"),
        ])
        try await service.settle()
        let report = try service.reports.usage(
            UsageQuery(customer: "acme", feature: "tokens", groupBy: ["model"]))
        #expect(report.windows.map(\.value) == [11, 5, 7])
        #expect(report.windows.map { $0.group["model"] } == ["m2", "m1", "m2"])
        await service.stop()
    }

    /// Also where there is no usage row: a customer without a quota has rollups alone.
    @Test(arguments: ["key_1", "key_free"])
    func totalsThatDoNotFitAreSetAsideAndTheRestGoesOn(_ subject: String) async throws {
        let service = try await EmbeddedService(folder.path, Sample.catalog(), clock: clock)
        let most = Int64(1) << 61
        for number in 0..<6 {
            try await service.send([
                Sample.event(
                    "o\(number)", tokens: "\(most)", subject: subject,
                    time: "2026-11-21T0\(number):00:00Z"),
                Sample.event("k\(number)", tokens: "1", subject: "key_other"),
                Sample.event("q\(number)", type: "gate.call"),
            ])
            try await service.settle()
        }
        let aside = try service.ledger.setAside(kind: .deadLetter, after: 0, limit: 100)
        #expect(Set(aside.map(\.event.reason)) == ["total_overflow"])
        #expect(try totals(service)["acme/requests"] == 6)
        await service.stop()
    }
}
