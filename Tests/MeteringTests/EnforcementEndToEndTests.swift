import Enforcement
import Entitlements
import Foundation
import Metering
import MeteringModel
import MeteringPorts
import SQLLedger
import Testing

@Suite struct EnforcementEndToEndTests {
    let folder: TemporaryFolder
    let clock = TestClock("2026-11-21T10:00:00Z")

    init() throws { folder = try TemporaryFolder() }

    @Test func sixtyFourClientsAdmitExactlyTheLimit() async throws {
        let service = try await EmbeddedService(
            folder.path, Sample.catalog(callLimit: .finite(3_000)), clock: clock)
        let admitted = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<64 {
                group.addTask {
                    var mine = 0
                    for _ in 0..<60 where try await service.consume("acme", "api_calls").isAllowed {
                        mine += 1
                    }
                    return mine
                }
            }
            return try await group.reduce(0, +)
        }
        #expect(admitted == 3_000)
        try await service.settle()
        let decision = try service.check("acme", "api_calls")
        #expect(!decision.isAllowed && decision.reason == .exhausted && decision.used == 3_000)
        #expect(try await service.reports.reconcile().drifts.isEmpty)
        await service.stop()
    }

    @Test func aRestartNeverReopensACap() async throws {
        let catalog = Sample.catalog(callLimit: .finite(100))
        var admitted = 0
        for round in 0..<5 {
            let service = try await EmbeddedService(
                folder.path, catalog, clock: clock, instance: "i\(round)")
            for _ in 0..<30 where try await service.consume("acme", "api_calls").isAllowed {
                admitted += 1
            }
            await service.stop()
        }
        #expect(admitted == 100)
    }

    @Test func theSameIdChargesOnceEvenAfterARestart() async throws {
        let service = try await EmbeddedService(folder.path, Sample.catalog(), clock: clock)
        async let first = service.consume("acme", "api_calls", 5, id: "r1")
        async let second = service.consume("acme", "api_calls", 5, id: "r1")
        let answers = try await [first, second]
        #expect(answers[0] == answers[1])
        await #expect(throws: GateError.self) {
            try await service.consume("acme", "api_calls", 6, id: "r1")
        }
        try await service.settle()
        await service.stop()
        let again = try await EmbeddedService(
            folder.path, Sample.catalog(), clock: clock, instance: "b")
        let third = try await again.consume("acme", "api_calls", 5, id: "r1")
        #expect(third.used == answers[0].used && third.remaining == answers[0].remaining)
        #expect(try again.check("acme", "api_calls", 0).used == 5)
        await again.stop()
    }

    @Test func reservationsHoldCommitReleaseAndExpire() async throws {
        let service = try await EmbeddedService(
            folder.path, Sample.catalog(callLimit: .finite(100)), clock: clock)
        func reserve(_ quantity: Int64, _ id: String) async throws -> ReservationAnswer {
            try await service.gate.reserve(
                EntitlementQuestion(
                    party: .customer("acme"), feature: "api_calls",
                    quantity: DecimalQuantity(mantissa: quantity), id: id), timeToLiveSeconds: 60)
        }
        let first = try await reserve(80, "a")
        #expect(try await reserve(80, "a").reservation?.id == first.reservation?.id)
        let denied = try await reserve(30, "b")
        #expect(denied.reservation == nil && denied.decision.reason == .held)
        let id = try #require(first.reservation?.id)
        let committed = try await service.gate.commitReservation(
            id, actual: DecimalQuantity(mantissa: 42))
        #expect(committed.decision.used == 42 && committed.decision.held == 0)
        #expect(committed.decision.remaining == 58)
        _ = try await service.gate.commitReservation(id, actual: DecimalQuantity(mantissa: 42))
        try await service.settle()
        #expect(try service.check("acme", "api_calls", 0).used == 42)

        let second = try await reserve(50, "c")
        await service.stop()
        let again = try await EmbeddedService(
            folder.path, Sample.catalog(callLimit: .finite(100)), clock: clock, instance: "b")
        #expect(try again.check("acme", "api_calls", 0).held == 50)
        clock.set("2026-11-21T10:02:00Z")
        await again.gate.expireReservations()
        #expect(try again.check("acme", "api_calls", 0).held == 0)
        #expect(try again.check("acme", "api_calls", 0).remaining == 58)
        let late = try #require(second.reservation?.id)
        await #expect(throws: GateError.self) {
            try await again.gate.commitReservation(late, actual: nil)
        }
        try await again.settle()
        #expect(try await again.reports.reconcile().drifts.isEmpty)
        await again.stop()
    }

    @Test func aNewPeriodStartsFresh() async throws {
        let service = try await EmbeddedService(
            folder.path, Sample.catalog(callLimit: .finite(10)), clock: clock)
        #expect(try await service.consume("acme", "api_calls", 10).isAllowed)
        #expect(try await !service.consume("acme", "api_calls").isAllowed)
        clock.set("2026-12-01T00:00:00Z")
        #expect(try await service.consume("acme", "api_calls", 10).isAllowed)
        #expect(try await !service.consume("acme", "api_calls").isAllowed)
        // The clock steps back: the new period goes on, the old one is not opened again.
        clock.set("2026-11-30T23:59:00Z")
        #expect(try await !service.consume("acme", "api_calls").isAllowed)
        try await service.settle()
        #expect(try await service.reports.reconcile().drifts.isEmpty)
        await service.stop()
    }

    @Test func answersWithoutAQuotaNameTheirReason() async throws {
        let service = try await EmbeddedService(folder.path, Sample.catalog(), clock: clock)
        #expect(try service.check("acme", "sso").isAllowed)
        #expect(try service.check("acme", "region").value == "eu")
        #expect(try service.check("free", "sso").reason == .notEntitled)
        #expect(try service.check("nobody", "sso").reason == .unknownCustomer)
        #expect(try service.check("acme", "nothing").reason == .unknownFeature)
        await #expect(throws: GateError.self) { try await service.consume("acme", "tokens") }
        await service.stop()
    }

    @Test func aRaisedLimitOpensTheGateAtOnce() async throws {
        let service = try await EmbeddedService(
            folder.path, Sample.catalog(callLimit: .finite(5)), clock: clock)
        #expect(try await service.consume("acme", "api_calls", 5).isAllowed)
        #expect(try await !service.consume("acme", "api_calls").isAllowed)
        try await service.replace(Sample.catalog(callLimit: .finite(7)))
        #expect(try await service.consume("acme", "api_calls", 2).isAllowed)
        #expect(try await !service.consume("acme", "api_calls").isAllowed)
        await service.stop()
    }

    @Test func nearLimitListsTheLargestShareFirst() async throws {
        let service = try await EmbeddedService(
            folder.path, Sample.catalog(callLimit: .finite(10)), clock: clock)
        _ = try await service.consume("acme", "api_calls", 9)
        try await service.send([Sample.event("n", tokens: "850")])
        try await service.settle()
        let page = try service.reports.nearLimit(overBasisPoints: 8_000, limit: 1, cursor: nil)
        #expect(page.entries.map(\.feature) == ["api_calls"])
        let rest = try service.reports.nearLimit(
            overBasisPoints: 8_000, limit: 5, cursor: page.next)
        #expect(rest.entries.map(\.feature) == ["tokens"] && rest.next == nil)
        await service.stop()
    }
}
