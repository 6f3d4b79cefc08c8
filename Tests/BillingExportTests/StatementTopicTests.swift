import BillingExport
import MeteringModel
import MeteringPorts
import SQLBilling
import Synchronization
import Testing

@Suite("Statement topic") struct StatementTopicTests {
    struct Down: Error {}

    @Test("every line arrives at least once, in order, under its id, whatever fails")
    func delivers() async throws {
        let bench = try StatementBench()
        defer { bench.store.close() }
        var ids: [String] = []
        for customer in 1...7 {
            let lines = (1...3).map { StatementBench.usage("li_\(customer)_\($0)", amount: 1) }
            ids += lines.map(\.id)
            try bench.close(CustomerID("c\(customer)"), lines)
        }
        let got = Mutex<[StatementTopicRecord]>([])
        let calls = Mutex(0)
        while try bench.store.cursor(StatementTopic.cursor) < 7 {
            // A new object each time, as after a crash.
            let topic = StatementTopic(
                store: bench.store, counters: ExportCounters(), logger: bench.bench.logger
            ) { records in
                let call = calls.withLock { calls in
                    calls += 1
                    return calls
                }
                // Every third call is lost; every third arrives and its answer is lost.
                if call % 3 == 0 { throw Down() }
                got.withLock { $0 += records }
                if call % 3 == 1 { throw Down() }
            }
            _ = try? await topic.step()
        }
        let records = got.withLock { $0 }
        var firsts: [String] = []
        for record in records where !firsts.contains(record.id) { firsts.append(record.id) }
        #expect(firsts == ids)
        #expect(records.allSatisfy { "li_" + $0.key.dropFirst() + "_" == $0.id.dropLast() + "" })
        let again = StatementTopic(
            store: bench.store, counters: ExportCounters(), logger: bench.bench.logger
        ) { _ in throw Down() }
        #expect(try await again.step() == 0)
    }
}
