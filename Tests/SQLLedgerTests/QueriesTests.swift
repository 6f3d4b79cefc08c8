import MeteringModel
import MeteringPorts
import SQLLedger
import Testing

@Suite("Queries")
struct QueriesTests {
    @Test func rollupsComeByStartAndDimensionsInsideTheRange() throws {
        var fixture = try LedgerFixture()
        let hours = (0..<4).map { instant.adding(seconds: $0 * 3_600) }
        var batch = fixture.batch()
        for (index, start) in hours.enumerated() {
            for dimensions in [#"{"model":"b"}"#, #"{"model":"a"}"#] {
                batch.rollups.append(
                    rollup(Int64(index), window: .hour, start: start, dimensions: dimensions))
            }
            // Neighbours that must not show.
            batch.rollups.append(rollup(100, window: .hour, start: start, customer: "other"))
            batch.rollups.append(rollup(100, window: .day, start: start))
        }
        try fixture.commit(batch)
        let rows = try fixture.ledger.rollups(
            RollupQuery(
                customer: "acme", meter: "tokens", window: .hour, from: hours[1], to: hours[3]))
        #expect(rows.map(\.start) == [hours[1], hours[1], hours[2], hours[2]])
        #expect(rows.map(\.state.value) == [1, 1, 2, 2])
        let models = [#"{"model":"a"}"#, #"{"model":"b"}"#]
        #expect(rows.map(\.dimensions) == models + models)
        for query in [("acme", hours[3], hours[3]), ("nobody", hours[0], hours[3])] {
            let none = try fixture.ledger.rollups(
                RollupQuery(
                    customer: CustomerID(query.0), meter: "tokens", window: .hour, from: query.1,
                    to: query.2))
            #expect(none.isEmpty)
        }
    }

    @Test func totalsAreSortedAndCountMonthsOnly() throws {
        var fixture = try LedgerFixture()
        var batch = fixture.batch()
        for customer in ["b", "a"] as [CustomerID] {
            batch.rollups.append(rollup(2, customer: customer))
            batch.rollups.append(
                rollup(3, start: instant.adding(seconds: 86_400), customer: customer))
            batch.rollups.append(rollup(100, window: .hour, customer: customer))
        }
        try fixture.commit(batch)
        #expect(
            try fixture.ledger.totals() == [
                MeterTotal(customer: "a", meter: "tokens", count: 2, value: 5),
                MeterTotal(customer: "b", meter: "tokens", count: 2, value: 5),
            ])
    }

    @Test func totalsThatOverflowAreAnError() throws {
        var fixture = try LedgerFixture()
        var batch = fixture.batch()
        batch.rollups = [rollup(.max), rollup(1, start: instant.adding(seconds: 86_400))]
        try fixture.commit(batch)
        #expect(ledgerError { _ = try fixture.ledger.totals() }?.code == .overflow)
    }

    @Test func liveUsageLeavesEndedPeriodsOut() throws {
        var fixture = try LedgerFixture()
        var ended = key("old")
        ended.period = Period(start: .distantPast, end: month.start)
        var forever = key("life")
        forever.period = .lifetime
        try fixture.commit(usage: [delta(1), delta(2, key: ended), delta(3, key: forever)])
        var found: [CustomerID: Int64] = [:]
        try fixture.ledger.liveUsage(endingAfter: month.start) {
            found[$0.key.customer] = $0.state.value
            #expect($0.key.customer != "life" || $0.key == forever)
        }
        #expect(found == ["acme": 1, "life": 3])
    }

    @Test func crossingsAreFilteredAndPaged() throws {
        var fixture = try LedgerFixture()
        for (index, customer) in (["a", "b", "a"] as [CustomerID]).enumerated() {
            var batch = fixture.batch()
            batch.usage = [delta(1, key: key(customer))]
            try fixture.commit(batch) { change in
                [
                    Crossing(
                        customer: customer, feature: "f", meter: "tokens", period: month,
                        threshold: .absolute(Int64(index)), limit: .unlimited, usedBefore: 0,
                        usedAfter: 1, scale: 0, source: "",
                        crossedAt: instant.adding(seconds: Int64(index)))
                ]
            }
        }
        func sequences(
            _ customer: CustomerID?, since: Timestamp? = nil, after: Int64 = 0, limit: Int = 10
        ) throws -> [Int64] {
            try fixture.ledger.crossings(
                customer: customer, since: since, after: after, limit: limit
            ).map(\.sequence)
        }
        #expect(try sequences(nil) == [1, 2, 3])
        #expect(try sequences("a") == [1, 3])
        #expect(try sequences("a", after: 1) == [3])
        #expect(try sequences(nil, since: instant.adding(seconds: 1)) == [2, 3])
        #expect(try sequences("a", since: instant.adding(seconds: 1), limit: 1) == [3])
        #expect(try sequences(nil, limit: 2) == [1, 2])
        #expect(try sequences(nil, limit: 0) == [])
        #expect(try sequences(nil, limit: -1) == [])
    }

    @Test func queriesRunBesideCommits() async throws {
        let fixture = try LedgerFixture()
        let ledger = fixture.ledger
        var batch = fixture.batch(length: 1)
        let rows = 200
        batch.usage = (0..<rows).map { delta(1, key: key(CustomerID("c\($0)"))) }
        let template = batch
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                var next = template
                for _ in 0..<30 {
                    _ = try ledger.commit(next, score: { _ in [] })
                    next.baseOffset = next.nextOffset
                    next.nextOffset += 1
                }
            }
            for _ in 0..<6 {
                group.addTask {
                    for _ in 0..<30 {
                        // A snapshot shows whole commits: every row has the same value.
                        var values: Set<Int64> = []
                        var count = 0
                        try ledger.liveUsage(endingAfter: .distantPast) {
                            values.insert($0.state.value)
                            count += 1
                        }
                        #expect(values.count <= 1)
                        #expect(count == 0 || count == rows)
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try ledger.positions().first?.nextOffset == 30)
    }
}
