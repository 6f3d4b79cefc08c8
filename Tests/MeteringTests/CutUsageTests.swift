import Entitlements
import Foundation
import Metering
import MeteringModel
import MeteringPorts
import SQLLedger
import Testing

/// Usage up to any instant at which terms change, against adding up the events one by one.
@Suite struct CutUsageTests {
    let folder: TemporaryFolder
    let clock = TestClock("2026-11-21T10:20:30Z")

    init() throws { folder = try TemporaryFolder() }

    private static func rules(_ name: String) -> TimeZoneRules? {
        if name == "UTC" { return .utc }
        let file = FileManager.default.contents(atPath: "/usr/share/zoneinfo/" + name)
        return file.flatMap { TimeZoneRules(name: name, tzif: Array($0)) }
    }

    private static func snapshot(_ contracts: [CustomerContract]) throws -> CatalogSnapshot {
        try CatalogSnapshot.compile(
            Contracts.catalog, contracts: contracts, revision: 1, hash: MeteringHarness.hash,
            zone: { rules($0) }
        ).get()
    }

    private static func contract(
        _ zone: String, _ subscriptions: [SubscriptionTerms]
    ) -> CustomerContract {
        CustomerContract(
            id: "acme",
            profile: Dated(CustomerProfile(timeZone: zone, subjects: [.init("key_1")])),
            subscriptions: subscriptions.enumerated().map {
                .init(id: "acme:\($0)", terms: Dated($1))
            })
    }

    private func instant(_ text: String) throws -> Timestamp {
        try #require(Timestamp(rfc3339: text))
    }

    /// Half-hour zones, clock changes within the period, periods that begin at 14:23:17, and plans
    /// that change at any second, in advance and afterwards.
    @Test(
        arguments: ["UTC", "Asia/Kolkata", "Europe/Berlin", "Australia/Lord_Howe"],
        [1, 2, 3] as [UInt64])
    func cutsEqualAddingUpEvents(_ zone: String, _ seed: UInt64) async throws {
        var random = SeededRandom(seed: seed)
        let anchor = "2026-01-25T14:23:17Z"
        let known = Contracts.subscription("anchored", from: anchor)
        let harness = try await MeteringHarness(
            folder.path, try Self.snapshot([Self.contract(zone, [known])]), clock: clock)
        var events: [(at: Timestamp, tokens: Int64)] = []
        let first = try instant("2026-10-25T00:00:00Z")
        func use(_ count: Int) async throws {
            var texts: [String] = []
            for _ in 0..<count {
                let at = first.adding(seconds: .random(in: 0..<(27 * 86_400), using: &random))
                let tokens = Int64.random(in: 1...1_000, using: &random)
                events.append((at, tokens))
                texts.append(
                    Sample.event(
                        "\(seed)/\(events.count)", tokens: "\(tokens)", time: at.rfc3339()))
            }
            try await harness.send(texts)
            try await harness.settle()
        }
        try await use(300)
        // The plan changed at a second of the past, inside of an hour with usage.
        let busy = try #require(events.randomElement(using: &random)).at
        let change = Timestamp(seconds: busy.seconds)
        var before = known
        before.end = change
        var after = Contracts.subscription("basic", from: change.rfc3339())
        after.anchor = known.start
        try await harness.change(
            [Self.contract(zone, [before, after])], since: change.rfc3339(), request: "back")
        try await use(100)

        let rule = PeriodRule(unit: .month, anchor: .subscription(start: known.start))
        let rules = try #require(Self.rules(zone))
        let usage = CutUsage(queries: harness.ledger, catalog: harness.catalog)
        for around in ["2026-10-25T15:00:00Z", "2026-11-20T00:00:00Z"] {
            let period = rule.period(containing: try instant(around), zone: rules)
            let calendar = PeriodRule(unit: .day, anchor: .calendar)
            var cuts = [change, period.end, period.start].filter {
                period.start <= $0 && $0 <= period.end
            }
            for _ in 0..<4 {
                let inside = period.start.adding(
                    seconds: .random(in: 0..<(28 * 86_400), using: &random))
                cuts.append(calendar.period(containing: inside, zone: rules).end)
            }
            cuts = cuts.filter { $0 <= period.end }.sorted()
            let states = try usage.states(
                customer: "acme", meter: "tokens", period: period, upTo: cuts)
            for (cut, state) in zip(cuts, states) {
                let counted = events.filter { period.start <= $0.at && $0.at < cut }
                #expect(
                    state.value == counted.reduce(0) { $0 + $1.tokens },
                    "seed \(seed), \(zone), up to \(cut.rfc3339()) of \(period.start.rfc3339())")
                #expect(state.count == Int64(counted.count))
            }
        }
        #expect(try await harness.reports.reconcile().drifts == [])
        await harness.stop()
    }

    /// Hours are cut per set of dimension values, and hold what they held.
    @Test func aBackdatedChangeCutsItsHour() async throws {
        let basic = Contracts.customer(
            "acme", [Contracts.subscription("basic", from: "2026-01-01T00:00:00Z")])
        let harness = try await MeteringHarness(
            folder.path, try MeteringHarness.compile(Contracts.catalog, [basic]), clock: clock)
        for (minute, model) in [("05", "m1"), ("10", "m2"), ("45", "m1"), ("50", "m1")] {
            try await harness.send([
                Sample.event(
                    minute, tokens: minute, time: "2026-11-03T10:\(minute):00Z", model: model)
            ])
        }
        try await harness.settle()
        let changed = Contracts.customer(
            "acme",
            [
                Contracts.subscription(
                    "basic", from: "2026-01-01T00:00:00Z", to: "2026-11-03T10:23:45Z"),
                Contracts.subscription("pro", from: "2026-11-03T10:23:45Z"),
            ])
        let hour = RollupQuery(
            customer: "acme", meter: "tokens", window: .hour,
            from: try instant("2026-11-03T10:00:00Z"), to: try instant("2026-11-03T11:00:00Z"))
        #expect(try harness.ledger.rollups(hour).count == 2)
        try await harness.change([changed], since: "2026-11-03T10:23:45Z", request: "a")
        let rows = try harness.ledger.rollups(hour)
        #expect(
            rows.map { "\($0.start.rfc3339()) \($0.dimensions) \($0.state.value)" } == [
                #"2026-11-03T10:00:00Z {"model":"m1"} 5"#,
                #"2026-11-03T10:00:00Z {"model":"m2"} 10"#,
                #"2026-11-03T10:23:45Z {"model":"m1"} 95"#,
            ])
        // Undone, and done again: what was counted in between takes the cut too.
        try await harness.change([basic], since: "2026-11-03T10:23:45Z", request: "b")
        try await harness.use(1, at: "2026-11-03T10:30:00Z")
        try await harness.change([changed], since: "2026-11-03T10:23:45Z", request: "c")
        let usage = CutUsage(queries: harness.ledger, catalog: harness.catalog)
        let month = Period(
            start: try instant("2026-11-01T00:00:00Z"), end: try instant("2026-12-01T00:00:00Z"))
        let states = try usage.states(
            customer: "acme", meter: "tokens", period: month,
            upTo: [try instant("2026-11-03T10:23:45Z"), month.end])
        #expect(states.map(\.value) == [15, 111])
        #expect(try await harness.reports.reconcile().drifts == [])
        await harness.stop()
    }

    /// A change that takes effect now finds usage that stays with the terms before it.
    @Test func aChangeOfNowReadsNoLog() async throws {
        let terms = Contracts.subscription("basic", from: "2026-01-01T00:00:00Z")
        let harness = try await MeteringHarness(
            folder.path,
            try MeteringHarness.compile(Contracts.catalog, [Contracts.customer("acme", [terms])]),
            clock: clock)
        try await harness.use(7, at: "2026-11-21T10:10:00Z")
        var before = terms
        before.end = clock.now
        let after = Contracts.subscription("pro", from: clock.now.rfc3339())
        try await harness.change([Contracts.customer("acme", [before, after])])
        #expect(harness.replay.tailRead.load(ordering: .relaxed) == 0)
        try await harness.use(1, at: "2026-11-21T10:20:31Z")
        let usage = CutUsage(queries: harness.ledger, catalog: harness.catalog)
        let month = Period(
            start: try instant("2026-11-01T00:00:00Z"), end: try instant("2026-12-01T00:00:00Z"))
        let states = try usage.states(
            customer: "acme", meter: "tokens", period: month, upTo: [clock.now, month.end])
        #expect(states.map(\.value) == [7, 8])
        await harness.stop()
    }

    @Test func whatTheCatalogDoesNotHaveIsAnError() async throws {
        let harness = try await MeteringHarness(
            folder.path,
            try MeteringHarness.compile(Contracts.catalog, [Contracts.customer("acme")]),
            clock: clock)
        let usage = CutUsage(queries: harness.ledger, catalog: harness.catalog)
        for (customer, meter) in [("nobody", "tokens"), ("acme", "nothing")] {
            #expect(throws: LedgerError.self) {
                try usage.states(
                    customer: CustomerID(customer), meter: MeterKey(meter), period: .lifetime,
                    upTo: [])
            }
        }
        await harness.stop()
    }
}
