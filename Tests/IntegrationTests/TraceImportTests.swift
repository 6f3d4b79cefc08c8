import Testing

extension Integration {
    /// A real trace through the HTTP edge into the ledger, against a plain recount.
    @Suite(.serialized) struct TraceImport {
        let trace: TraceFixture

        init() throws { trace = try TraceFixture() }

        @Test func importingTwiceCountsOnce() async throws {
            let server = try TollgateServer(catalog: TraceFixture.catalog)
            try await server.start()
            let batches = trace.batches(of: 1_000)
            try await server.importEvents(batches)
            try await server.importEvents(batches)
            try await expectExact(server, records: trace.events.count * 2)
            #expect(try await server.stop() == 0)
        }

        @Test func killsInBetweenChangeNothing() async throws {
            let server = try TollgateServer(catalog: TraceFixture.catalog)
            try await server.start()
            let batches = trace.batches(of: 100)
            let done = Tally()
            async let importing: Void = server.importEvents(batches, done: done)
            var numbers = SeededNumbers(seed: 9)
            for kill in 1...6 {
                let mark = kill * batches.count / 8 + Int.random(in: 0..<5, using: &numbers)
                try await eventually("batch \(mark)") { done.value >= mark ? true : nil }
                try await Task.sleep(for: .milliseconds(Int.random(in: 0..<60, using: &numbers)))
                try await server.killAndRestart()
            }
            try await importing
            // What had no answer was sent again, so there may be more records, never fewer.
            try await expectExact(server, records: trace.events.count)
            try await server.killAndRestart()
            try await expectExact(server, records: trace.events.count)
            #expect(try await server.stop() == 0)
        }

        private func expectExact(_ server: TollgateServer, records: Int) async throws {
            #expect(try await server.settled(trace.totals) == trace.totals)
            let report = try await server.reconcile()
            #expect(report.drifts == [])
            #expect(report.events_read >= records)
            #expect(report.events_counted == trace.events.count)
            #expect(report.duplicates == report.events_read - report.events_counted)
            #expect(report.rows_compared > 0)
            let alerts = try await server.alerts()
            #expect(Set(alerts.map { "\($0.customer) \($0.threshold)" }) == trace.crossings)
            #expect(alerts.count == trace.crossings.count)
            #expect(Set(alerts.map(\.id)).count == alerts.count)
            #expect(!alerts.isEmpty)
            #expect(try await server.setAside().isEmpty)
        }
    }
}
