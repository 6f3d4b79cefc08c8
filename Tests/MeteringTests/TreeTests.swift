import Entitlements
import Foundation
import Metering
import MeteringModel
import MeteringPorts
import SQLLedger
import Testing

/// Usage of a customer counts in everybody above it.
@Suite struct TreeTests {
    let folder: TemporaryFolder
    let clock = TestClock("2026-11-21T10:00:00Z")

    init() throws { folder = try TemporaryFolder() }

    private static let start = "2026-01-01T00:00:00Z"

    /// Node n hangs below (n − 1) / 2: five levels, 31 customers, each with a quota of its own.
    @Test func aParentsRowIsTheSumOfItsTree() async throws {
        let plans: [PlanKey] = ["basic", "pro"]
        let nodes = 0..<31
        let contracts = nodes.map { node in
            Contracts.customer(
                CustomerID("n\(node)"), subjects: [SubjectID("key_\(node)")],
                parent: node == 0 ? nil : CustomerID("n\((node - 1) / 2)"),
                [Contracts.subscription(plans[node % 2], from: Self.start)])
        }
        let harness = try await MeteringHarness(
            folder.path, try MeteringHarness.compile(Contracts.catalog, contracts), clock: clock)
        var random = SeededRandom(seed: 31)
        var own = [Int64](repeating: 0, count: nodes.count)
        for round in 0..<12 {
            var events: [String] = []
            for number in 0..<40 {
                let node = Int.random(in: nodes, using: &random)
                let tokens = Int64.random(in: 0...20, using: &random)
                own[node] += tokens
                let hour = Int.random(in: 10...23, using: &random)
                events.append(
                    Sample.event(
                        "\(round)/\(number)", tokens: "\(tokens)", subject: "key_\(node)",
                        time: "2026-11-\(Int.random(in: 10...20, using: &random))T\(hour):10:00Z"))
            }
            try await harness.send(events)
            try await harness.settle()
            var sums = own
            for node in nodes.dropFirst().reversed() { sums[(node - 1) / 2] += sums[node] }
            for node in nodes {
                let row = try harness.row(CustomerID("n\(node)"), "2026-11-01", "2026-12-01")
                #expect(row ?? 0 == sums[node])
            }
        }
        let total = try harness.reports.totals().first { $0.customer == "n0" }
        #expect(total?.value == own.reduce(0, +))
        #expect(try await harness.reports.reconcile().drifts.isEmpty)
        // The root is over its limit through usage that is not its own.
        #expect(try harness.openCrossings().contains("n0 80% of 1000"))
        await harness.stop()
    }

    @Test func aMoveHoldsFromItsInstantOn() async throws {
        func child(_ profile: Dated<CustomerProfile>) -> CustomerContract {
            CustomerContract(id: "child", profile: profile)
        }
        func profile(_ parent: CustomerID) -> CustomerProfile {
            CustomerProfile(parent: parent, subjects: [.init("key_1")])
        }
        let parents = ["p1", "p2"].map { id in
            Contracts.customer(
                CustomerID(id), subjects: [],
                [Contracts.subscription("basic", from: Self.start)])
        }
        let harness = try await MeteringHarness(
            folder.path,
            try MeteringHarness.compile(
                Contracts.catalog, parents + [child(Dated(profile("p1")))]), clock: clock)
        try await harness.use(100, at: "2026-11-20T10:00:00Z")
        let moved = Dated<CustomerProfile>(steps: [
            .init(from: .distantPast, value: profile("p1")),
            .init(
                from: try #require(Timestamp(rfc3339: "2026-11-21T10:00:00Z")),
                value: profile("p2")),
        ])
        try await harness.change([child(moved)])
        try await harness.use(10, at: "2026-11-21T10:00:00Z")
        // Late, from before the move.
        try await harness.use(1, at: "2026-11-21T09:59:59Z")
        #expect(try harness.row("p1", "2026-11-01", "2026-12-01") == 101)
        #expect(try harness.row("p2", "2026-11-01", "2026-12-01") == 10)
        #expect(try await harness.reports.reconcile().drifts.isEmpty)
        await harness.stop()
    }

    @Test func otherEnvironmentsAreCountedApartAndNotBilled() async throws {
        var contract = Contracts.customer(
            "acme", [Contracts.subscription("basic", from: Self.start)])
        contract.profile = Dated(
            CustomerProfile(subjects: [
                .init("key_1"), .init("key_s", environment: .sandbox),
            ]))
        var trial = Contracts.customer("trial", subjects: ["key_t"])
        trial.profile = Dated(
            CustomerProfile(environment: .test, subjects: [.init("key_t", environment: .test)]))
        let harness = try await MeteringHarness(
            folder.path, try MeteringHarness.compile(Contracts.catalog, [contract, trial]),
            clock: clock)
        try await harness.use(5, at: "2026-11-20T10:00:00Z")
        try await harness.use(900, "key_s", at: "2026-11-20T10:00:00Z")
        try await harness.use(7, "key_t", at: "2026-11-20T10:00:00Z")
        #expect(try harness.row("acme", "2026-11-01", "2026-12-01") == 5)
        #expect(try harness.row("acme#sandbox", "2026-11-01", "2026-12-01") == 900)
        let totals = try harness.reports.totals()
        #expect(totals.map(\.customer) == ["acme", "acme#sandbox", "trial"])
        #expect(totals.map(\.isBillable) == [true, false, false])
        #expect(try await harness.reports.reconcile().drifts.isEmpty)
        await harness.stop()
    }
}

/// SplitMix64: the same numbers on every run.
struct SeededRandom: RandomNumberGenerator {
    var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
