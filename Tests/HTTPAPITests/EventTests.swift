import Foundation
import MeteringPorts
import Synchronization
import Testing

@Suite struct EventTests {
    private static let event =
        #"{"specversion":"1.0","id":"1","source":"s","type":"t","subject":"key_1","data":{"n":[1]}}"#
    private static let structured = [
        ("Content-Type", "application/cloudevents+json; charset=utf-8")
    ]
    private static let batch = [("content-type", "Application/CloudEvents-Batch+JSON")]
    private static let json = [("Content-Type", "application/json")]

    private static func recorded(_ server: Harness) -> [(key: String, json: String)] {
        server.ingest.recorded.withLock { events in
            events.map { ($0.key, String(decoding: $0.json, as: UTF8.self)) }
        }
    }

    @Test func structuredEventsAreKeptAsTheyCame() async throws {
        try await Harness.run { server in
            for headers in [Self.structured, Self.json] {
                let reply = try await server.send(
                    "POST", "/v1/events", " " + Self.event + "\n", headers: headers)
                #expect(reply.status == 202)
                #expect(reply.body == #"{"accepted":1,"rejected":[]}"#)
            }
            for record in Self.recorded(server) {
                #expect(record.key == "key_1" && record.json == Self.event)
            }
            #expect(Self.recorded(server).count == 2)
        }
    }

    @Test func batchesGetVerdictsOneByOne() async throws {
        try await Harness.run { server in
            let old = #"{"id":"2","subject":"key_\u0032","time":"1999-01-01T00:00:00Z"}"#
            let body = "[\(Self.event), {\"x\":\"}]\"}, 7, \(old)]"
            let reply = try await server.send("POST", "/v1/events", body, headers: Self.batch)
            #expect(reply.status == 202)
            #expect(try reply.json["accepted"] as? Int == 1)
            let rejected = try reply.json["rejected"] as? [[String: Any]] ?? []
            #expect(rejected.map { $0["index"] as? Int } == [1, 2, 3])
            #expect(
                rejected.map { $0["code"] as? String }
                    == ["missing_id", "malformed", "invalid_time"])

            let again = try await server.send(
                "POST", "/v1/events?backfill=true", "[\(old)]", headers: Self.json)
            #expect(again.body == #"{"accepted":1,"rejected":[]}"#)
            let last = try #require(Self.recorded(server).last)
            #expect(last.key == "key_2")
            #expect(last.json == #"{"tollgatebackfill":true,"# + old.dropFirst())
        }
    }

    @Test func anEmptyBatchIsNoError() async throws {
        try await Harness.run { server in
            let reply = try await server.send("POST", "/v1/events", "[]", headers: Self.batch)
            #expect(reply.status == 202 && Self.recorded(server).isEmpty)
        }
    }

    @Test func theBackfillMarkIsNotWrittenTwice() async throws {
        try await Harness.run { server in
            let marked = #"{"tollgatebackfill":true,"id":"3"}"#
            let reply = try await server.send(
                "POST", "/v1/events?backfill=true", marked, headers: Self.structured)
            #expect(reply.status == 202)
            #expect(Self.recorded(server).map(\.json) == [marked])
        }
    }

    @Test func binaryModeBecomesStructured() async throws {
        try await Harness.run { server in
            let headers = [
                ("ce-specversion", "1.0"), ("Ce-Id", "a%20%C3%A9"), ("ce-source", "s"),
                ("ce-type", "t"), ("ce-subject", "key_1"),
            ]
            let bodies = [
                ("application/json", #"{"n":1}"#), ("text/plain", "say \"hi\""),
            ]
            for (type, body) in bodies {
                let reply = try await server.send(
                    "POST", "/v1/events", body, headers: headers + [("Content-Type", type)])
                #expect(reply.status == 202, "\(reply.body)")
            }
            let start =
                #"{"specversion":"1.0","id":"a é","source":"s","type":"t","subject":"key_1","#
            #expect(
                Self.recorded(server).map(\.json) == [
                    start + #""datacontenttype":"application/json","data":{"n":1}}"#,
                    start + #""datacontenttype":"text/plain","data":"say \"hi\""}"#,
                ])
            #expect(Self.recorded(server).allSatisfy { $0.key == "key_1" })
            let broken = try await server.send(
                "POST", "/v1/events", "{", headers: headers + Self.json)
            #expect(broken.status == 400 && broken.code == "malformed")
            let twice = try await server.send(
                "POST", "/v1/events", "{}", headers: headers + Self.json + [("ce-id", "b")])
            #expect(twice.status == 400 && twice.field == "ce-id")
        }
    }

    @Test func refusals() async throws {
        try await Harness.run { server in
            let alone = try await server.send(
                "POST", "/v1/events", #"{"subject":"x"}"#, headers: Self.structured)
            #expect(alone.status == 400 && alone.code == "missing_id")
            let broken = try await server.send(
                "POST", "/v1/events", "[{]", headers: Self.batch)
            #expect(broken.status == 400 && broken.code == "malformed")
            let csv = try await server.send(
                "POST", "/v1/events", "a,b", headers: [("Content-Type", "text/csv")])
            #expect(csv.status == 415)
            let avro = try await server.send(
                "POST", "/v1/events", "a",
                headers: [("Content-Type", "application/cloudevents+avro")])
            #expect(avro.status == 415)
            let many = Array(repeating: #"{"id":"1"}"#, count: 1_001).joined(separator: ",")
            let reply = try await server.send(
                "POST", "/v1/events", "[\(many)]", headers: Self.batch)
            #expect(reply.status == 413 && reply.body.contains("1000 events"))
            #expect(Self.recorded(server).isEmpty)
        }
    }

    @Test(arguments: [
        (EventLogError.Code.unreachable, 503), (.overloaded, 503), (.full, 503), (.tooLarge, 413),
    ])
    func whatIsNotDurableIsNotAccepted(_ code: EventLogError.Code, _ status: Int) async throws {
        try await Harness.run { server in
            server.ingest.failure.withLock { $0 = EventLogError(code: code, message: "no") }
            let reply = try await server.send(
                "POST", "/v1/events", Self.event, headers: Self.structured)
            #expect(reply.status == status)
            #expect((reply.headers["retry-after"] != nil) == (status == 503))
        }
    }
}
