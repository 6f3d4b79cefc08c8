import Foundation
import Testing

extension Integration {
    /// The operator's port.
    @Suite(.serialized) struct Operations {
        @Test func statesAndMetrics() async throws {
            let server = try TollgateServer(catalog: TraceFixture.catalog)
            try await server.start()
            #expect(try await server.admin("/healthz").status == 200)
            let ready = try await server.admin("/readyz")
            #expect(ready.status == 200, "\(ready.text)")
            let trace = try TraceFixture(rowCount: 500)
            try await server.importEvents(trace.batches(of: 100))
            try await server.importEvents(trace.batches(of: 100))
            #expect(try await server.settled(trace.totals) == trace.totals)
            let metrics = try await eventually("all records read") { () -> Metrics? in
                let answer = try await server.admin("/metrics")
                #expect(
                    answer.headers["content-type"]?.hasPrefix("text/plain; version=0.0.4") == true)
                let metrics = try Metrics(answer.text)
                let duplicates =
                    metrics[#"tollgate_events_ingested_total{result="duplicate"}"#] ?? 0
                return duplicates >= 500 ? metrics : nil
            }
            #expect(metrics[#"tollgate_events_ingested_total{result="counted"}"#] == 500)
            #expect(metrics[#"tollgate_events_ingested_total{result="duplicate"}"#] == 500)
            _ = try await server.decision(
                "/v1/consume", #"{"customer":"c1","feature":"calls"}"#)
            _ = try await server.decision(
                "/v1/consume", #"{"customer":"c1","feature":"calls","quantity":999999}"#)
            let later = try Metrics(try await server.admin("/metrics").text)
            #expect(later.samples.keys.contains { $0.contains(#"decision="denied""#) })
            #expect(later.samples.keys.contains { $0.contains(#"decision="allowed""#) })
            // No customer is ever a label.
            #expect(!later.samples.keys.contains { $0.contains("c1") || $0.contains("key_") })
            #expect(try await server.stop() == 0)
        }

        @Test func notReadyBeforeItsTime() async throws {
            let server = try TollgateServer(catalog: TraceFixture.catalog)
            let port = try freePort()
            try server.launch(admin: port)
            var sawUnready = false
            try await eventually("readiness") { () -> Bool? in
                guard let answer = try? await server.get("/readyz", port: port) else { return nil }
                if answer.status == 200 { return true }
                #expect(answer.status == 503)
                let readiness: Readiness = try answer.read()
                #expect(readiness.status == "not_ready")
                #expect(!readiness.reasons.isEmpty)
                sawUnready = true
                return nil
            }
            // The unready moment may be too short to be seen; the ready line must be there.
            try await server.waitUntilReady()
            #expect(sawUnready || server.port > 0)
        }
    }
}

/// Prometheus text 0.0.4, read strictly.
struct Metrics {
    private(set) var samples: [String: Double] = [:]

    init(_ text: String) throws {
        let name = "[a-zA-Z_:][a-zA-Z0-9_:]*"
        let label = #"[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\]|\\.)*""#
        let sample = try Regex("^(\(name))(\\{\(label)(?:,\(label))*\\})? (\\S+)$")
        var types: [String: String] = [:]
        var family = ""
        var closed: Set<String> = []
        guard text.hasSuffix("\n") else { throw Unmet("the last line has no end") }
        for line in text.split(separator: "\n") {
            if line.hasPrefix("# ") {
                let words = line.split(separator: " ", maxSplits: 3)
                guard words.count == 4 else { throw Unmet("odd comment: \(line)") }
                let named = String(words[2])
                if named != family { closed.insert(family) }
                if closed.contains(named) { throw Unmet("\(named) is told in two places") }
                family = named
                if words[1] == "TYPE" {
                    if types[named] != nil { throw Unmet("two TYPE lines of \(named)") }
                    types[named] = String(words[3])
                }
                continue
            }
            guard let match = try sample.wholeMatch(in: String(line)),
                let value = match[3].substring.flatMap({ Double($0) })
            else { throw Unmet("not a sample: \(line)") }
            let told = String(match[1].substring ?? "")
            guard told.hasPrefix(family), let type = types[family] else {
                throw Unmet("\(told) has no TYPE before it")
            }
            if type == "counter", !told.hasSuffix("_total") { throw Unmet("\(told): no _total") }
            let key = String(line[..<(line.lastIndex(of: " ") ?? line.endIndex)])
            if samples.updateValue(value, forKey: key) != nil { throw Unmet("\(key) twice") }
        }
    }

    subscript(name: String) -> Double? { samples[name] }
}
