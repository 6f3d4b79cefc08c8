import Enforcement
import Entitlements
import Foundation
import Metering
import MeteringModel
import MeteringPorts
import SQLLedger
import Testing

/// Ways in which the service was broken once.
@Suite struct AttackRegressionTests {
    let folder: TemporaryFolder
    let clock = TestClock("2026-11-21T10:00:00Z")

    init() throws { folder = try TemporaryFolder() }

    private func reserve(
        _ service: EmbeddedService, _ quantity: Int64, id: String
    ) async throws -> ReservationAnswer {
        try await service.gate.reserve(
            EntitlementQuestion(
                party: .customer("acme"), feature: "api_calls",
                quantity: DecimalQuantity(mantissa: quantity), id: id), timeToLiveSeconds: 60)
    }

    @Test func impossibleQuantitiesAreRefused() async throws {
        let service = try await EmbeddedService(folder.path, Sample.catalog(), clock: clock)
        let held = try await reserve(service, 10, id: "a")
        let id = try #require(held.reservation?.id)
        for quantity in [Int64.max, 1 << 54] {
            await #expect(throws: GateError.self) {
                try await service.gate.commitReservation(
                    id, actual: DecimalQuantity(mantissa: quantity))
            }
            let denied = try await service.consume("acme", "api_calls", quantity)
            #expect(!denied.isAllowed)
        }
        let ended = try await service.gate.commitReservation(
            id, actual: DecimalQuantity(mantissa: 7))
        let used = ended.decision.used
        #expect(used == 7)
        await service.stop()
    }

    @Test func aHoldEndsOnceHoweverManyAsk() async throws {
        let service = try await EmbeddedService(folder.path, Sample.catalog(), clock: clock)
        for round in 0..<20 {
            let held = try await reserve(service, 2, id: "r\(round)")
            let id = try #require(held.reservation?.id)
            await withTaskGroup(of: Void.self) { group in
                for number in 0..<12 {
                    group.addTask {
                        if number % 3 == 0 {
                            _ = try? await reserve(service, 2, id: "r\(round)")
                        } else {
                            let answer = try? await service.gate.commitReservation(id, actual: nil)
                            let committed = answer?.reservation?.committed
                            #expect(committed == 2)
                        }
                    }
                }
            }
        }
        try await service.settle()
        let check = try service.check("acme", "api_calls", 0)
        #expect(check.used == 40 && check.held == 0)
        #expect(try await service.reports.reconcile().drifts.isEmpty)
        await service.stop()
    }

    @Test func aFlippingCatalogNeverOpensTheCap() async throws {
        let service = try await EmbeddedService(
            folder.path, Sample.catalog(callLimit: .finite(400)), clock: clock)
        let here = Sample.catalog(callLimit: .finite(400))
        var without = here
        without.customers.removeAll { $0.id == "acme" }
        let gone = without
        let admitted = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    var mine = 0
                    for _ in 0..<150 {
                        let decision = try? await service.consume("acme", "api_calls")
                        if decision?.isAllowed == true { mine += 1 }
                    }
                    return mine
                }
            }
            group.addTask {
                for number in 0..<30 {
                    try await service.replace(number % 2 == 0 ? gone : here)
                    try await Task.sleep(for: .milliseconds(3))
                }
                return 0
            }
            return try await group.reduce(0, +)
        }
        #expect(admitted <= 400)
        await service.stop()
    }

    /// Both rules count everything of their period from its start, so neither gives the limit anew.
    @Test func aFlippingPeriodNeverOpensTheCap() async throws {
        var monthly = Sample.catalog(callLimit: .finite(400))
        monthly.customers[0].subscriptions[0].terms.start = Timestamp(seconds: 86_400 * 4)
        var anchored = monthly
        anchored.plans[0].entitlements["api_calls"] = .metered(
            MeteredEntitlement(
                limit: .finite(400), period: .year, anchor: .subscription, enforcement: .hard))
        let forms = [anchored, monthly]
        let service = try await EmbeddedService(folder.path, monthly, clock: clock)
        let admitted = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    var mine = 0
                    for _ in 0..<150 {
                        let decision = try? await service.consume("acme", "api_calls")
                        if decision?.isAllowed == true { mine += 1 }
                    }
                    return mine
                }
            }
            group.addTask {
                for number in 0..<40 {
                    try await service.replace(forms[number % 2])
                    try await Task.sleep(for: .milliseconds(2))
                }
                return 0
            }
            return try await group.reduce(0, +)
        }
        #expect(admitted <= 400)
        try await service.settle()
        let total = try service.ledger.totals().first { $0.meter == "requests" }
        #expect(total?.value == Int64(admitted))
        #expect(try await service.reports.reconcile().drifts.isEmpty)
        await service.stop()
    }

    @Test func idsThatLookAlikeAreTwoIds() async throws {
        let service = try await EmbeddedService(folder.path, Sample.catalog(), clock: clock)
        _ = try await service.consume("acme", "api_calls", id: "\u{e9}")
        let second = try await service.consume("acme", "api_calls", id: "e\u{301}")
        let used = second.used
        #expect(used == 2)
        await service.stop()
    }
}
