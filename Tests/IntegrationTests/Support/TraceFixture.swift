import Foundation

/// A catalog, events made from the real trace, and an independent count of what they add up to.
struct TraceFixture: Sendable {
    /// Structured CloudEvents, in the trace's order.
    private(set) var events: [Event] = []
    private(set) var totals: Set<Totals.Row> = []
    /// `customer threshold` of every crossing there must be.
    private(set) var crossings: Set<String> = []

    struct Event: Sendable {
        var id: String
        var subject: String
        var customer: String
        var tokens: Int64
        var time: String

        var json: String {
            #"{"specversion":"1.0","id":"\#(id)","source":"trace","type":"llm.request","#
                + #""subject":"\#(subject)","time":"\#(time)","#
                + #""data":{"total_tokens":\#(tokens),"model":"m\#(tokens % 3)"}}"#
        }
    }

    static let customerCount = 20
    private static let limit: Int64 = 1_000_000

    /// Lifetime quotas, so that no test meets the end of a period.
    static let catalog = """
        meters:
          - {key: tokens, event_type: llm.request, aggregation: sum, value: $.total_tokens, group_by: {model: $.model}}
          - {key: requests, event_type: llm.request, aggregation: count}
          - {key: calls, event_type: api.call, aggregation: count}
          - {key: seats, event_type: seat.used, aggregation: count}
        features:
          - {key: tokens, type: metered, meter: tokens, counting: events}
          - {key: calls, type: metered, meter: calls, counting: admission}
          - {key: seats, type: metered, meter: seats, counting: admission}
        plans:
          - key: trace
            entitlements:
              tokens: {limit: 1000000, period: lifetime, thresholds: [50%, 100%], enforcement: soft}
              calls: {limit: 10000, period: lifetime, thresholds: [80%, 100%], enforcement: hard, on_outage: closed}
              seats: {limit: 1000, period: lifetime, thresholds: [100%], enforcement: hard, on_outage: closed}
        customers:

        """
        + (0..<customerCount).map {
            "  - {id: c\($0), subjects: [key_\($0), key_\($0 + customerCount)], "
                + "subscription: {plan: trace, start: 2025-01-31}}\n"
        }.joined()

    /// The trace's first rows; its times are shifted so that the last one was a moment ago.
    init(rowCount: Int = .max) throws {
        let path = Places.repository() + "/deploy/data/azure_llm_code_2023.csv"
        let rows = try String(contentsOfFile: path, encoding: .utf8)
            .split(whereSeparator: \.isNewline).dropFirst().prefix(rowCount)
        var numbers = SeededNumbers(seed: 20_231_116)
        let start = Date().addingTimeInterval(-3_600)
        let format = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        for (index, row) in rows.enumerated() {
            let fields = row.split(separator: ",")
            guard fields.count == 3, let context = Int64(fields[1]),
                let generated = Int64(fields[2])
            else { throw Unmet("row \(index) of the trace: \(row)") }
            // Squaring skews the draw: some customers go over their limit, some stay far below.
            let draw = Double.random(in: 0..<1, using: &numbers)
            let subject = Int(draw * draw * Double(Self.customerCount * 2))
            let shift = 3_500 * Double(index) / Double(rows.count)
            events.append(
                Event(
                    id: "row-\(index)", subject: "key_\(subject)",
                    customer: "c\(subject % Self.customerCount)", tokens: context + generated,
                    time: start.addingTimeInterval(shift).formatted(format)))
        }
        recount()
    }

    /// Plain sums; shares nothing with the program.
    private mutating func recount() {
        var tokens: [String: (count: Int64, value: Int64)] = [:]
        for event in events {
            let old = tokens[event.customer] ?? (0, 0)
            tokens[event.customer] = (old.count + 1, old.value + event.tokens)
        }
        for (customer, sum) in tokens {
            totals.insert(
                .init(customer: customer, meter: "tokens", count: sum.count, value: sum.value))
            totals.insert(
                .init(customer: customer, meter: "requests", count: sum.count, value: sum.count))
            if sum.value * 2 >= Self.limit { crossings.insert("\(customer) 50%") }
            if sum.value >= Self.limit { crossings.insert("\(customer) 100%") }
        }
    }

    /// Bodies of `POST /v1/events`.
    func batches(of count: Int) -> [[UInt8]] {
        stride(from: 0, to: events.count, by: count).map { start in
            let part = events[start..<min(start + count, events.count)]
            return Array(("[" + part.map(\.json).joined(separator: ",") + "]").utf8)
        }
    }
}
