import Foundation
import Testing

extension Integration {
    /// Each kind of bad input has one documented fate, and nothing beside it is harmed.
    @Suite(.serialized) struct BadInput {
        static func event(
            id: String = #""id":"x","#, type: String = #""type":"llm.request","#,
            subject: String = #""subject":"key_1","#, time: String = "",
            data: String = #"{"total_tokens":5}"#
        ) -> String {
            #"{"specversion":"1.0",\#(id)\#(type)\#(subject)\#(time)"source":"bad","data":\#(data)}"#
        }

        static func time(_ offset: TimeInterval) -> String {
            let at = Date().addingTimeInterval(offset).formatted(.iso8601)
            return #""time":"\#(at)","#
        }

        struct Case: Sendable, CustomTestStringConvertible {
            var name: String
            var body: [UInt8]
            var code: String
            var status = 400
            var testDescription: String { name }

            init(_ name: String, _ body: String, _ code: String, status: Int = 400) {
                self.init(name, Array(body.utf8), code, status: status)
            }

            init(_ name: String, _ body: [UInt8], _ code: String, status: Int = 400) {
                self.name = name
                self.body = body
                self.code = code
                self.status = status
            }
        }

        /// Refused at the door, alone as well as inside a batch.
        static var refused: [Case] {
            let deep = String(repeating: "[", count: 600) + String(repeating: "]", count: 600)
            return [
                Case(
                    "nested too deeply",
                    event(data: #"{"total_tokens":5,"deep":\#(deep)}"#), "too_deep"),
                Case("no id", event(id: ""), "missing_id"),
                Case("empty id", event(id: #""id":"","#), "missing_id"),
                Case("no type", event(type: ""), "missing_type"),
                Case("no subject", event(subject: ""), "missing_subject"),
                Case("id is a number", event(id: #""id":7,"#), "wrong_type"),
                Case("subject is a list", event(subject: #""subject":["a"],"#), "wrong_type"),
                Case("time is no time", event(time: #""time":"soon","#), "invalid_time"),
                Case("40 days old", event(time: time(-40 * 86_400)), "time_too_old"),
                Case("10 minutes ahead", event(time: time(600)), "time_in_future"),
                Case("value is a word", event(data: #"{"total_tokens":"many"}"#), "invalid_value"),
                Case("value is true", event(data: #"{"total_tokens":true}"#), "invalid_value"),
                Case("value is missing", event(data: "{}"), "missing_value"),
                Case("value is null", event(data: #"{"total_tokens":null}"#), "missing_value"),
                Case(
                    "value is \"NaN\"", event(data: #"{"total_tokens":"NaN"}"#), "invalid_value"),
                Case("negative", event(data: #"{"total_tokens":-1}"#), "negative_value"),
                Case(
                    "overflow", event(data: #"{"total_tokens":9223372036854775808}"#),
                    "value_overflow"),
                Case("1e400", event(data: #"{"total_tokens":1e400}"#), "value_overflow"),
                Case("a fraction", event(data: #"{"total_tokens":0.5}"#), "value_too_precise"),
                Case(
                    "reserved type", event(type: #""type":"tollgate.admission.v1","#),
                    "reserved_type"),
                Case(
                    "another version", #"{"specversion":"0.3","id":"x"}"#, "unsupported_specversion"
                ),
                Case(
                    "the same member twice", event(id: #""id":"x","id":"y","#),
                    "duplicate_member"),
            ]
        }

        /// Not one JSON document: nothing of the request is taken.
        static var malformed: [Case] {
            let ten = String(repeating: "x", count: 10 << 20)
            return [
                Case("empty", "", "malformed"), Case("a word", "hello", "malformed"),
                Case("cut off", String(event().dropLast(3)), "malformed"),
                Case("bare NaN", event(data: #"{"total_tokens":NaN}"#), "malformed"),
                Case("two documents", event() + event(), "malformed"),
                Case("not an object", "[[", "malformed"),
                Case(
                    "10 MB", event(data: #"{"total_tokens":5,"text":"\#(ten)"}"#), "too_large",
                    status: 413),
            ]
        }

        private func started() async throws -> TollgateServer {
            let server = try TollgateServer(catalog: TraceFixture.catalog)
            try await server.start()
            return server
        }

        @Test func badEventsAreRefusedAndTheRestIsTaken() async throws {
            let server = try await started()
            for bad in Self.refused + Self.malformed {
                let answer = try await server.post(
                    "/v1/events", bytes: bad.body, type: "application/cloudevents+json")
                #expect(answer.status == bad.status, "\(bad.name): \(answer.text)")
                let problem = try? answer.read(ProblemDocument.self)
                #expect(problem?.code == bad.code, "\(bad.name): \(answer.text)")
                #expect(problem?.detail.isEmpty == false, "\(bad.name)")
                #expect(answer.headers["content-type"] == "application/problem+json")
            }
            // All of them in one batch, with a good event before, between and behind them.
            var parts: [[UInt8]] = [Array(Self.event(id: #""id":"good-0","#).utf8)]
            for (index, bad) in Self.refused.enumerated() {
                parts.append(bad.body)
                parts.append(Array(Self.event(id: #""id":"good-\#(index + 1)","#).utf8))
            }
            let body =
                [UInt8(ascii: "[")] + parts.joined(separator: [UInt8(ascii: ",")])
                + [UInt8(ascii: "]")]
            let answer = try await server.post(
                "/v1/events", bytes: Array(body), type: "application/cloudevents-batch+json")
            #expect(answer.status == 202, "\(answer.text)")
            let verdict: Verdict = try answer.read()
            let good = Self.refused.count + 1
            #expect(verdict.accepted == good)
            #expect(verdict.rejected.map(\.index) == Self.refused.indices.map { $0 * 2 + 1 })
            #expect(verdict.rejected.map(\.code) == Self.refused.map(\.code))
            let expected: Set = [
                Totals.Row(
                    customer: "c1", meter: "tokens", count: Int64(good), value: Int64(good * 5)),
                Totals.Row(
                    customer: "c1", meter: "requests", count: Int64(good), value: Int64(good)),
            ]
            #expect(try await server.settled(expected) == expected)
            #expect(try await server.setAside().isEmpty)
            #expect(try await server.stop() == 0)
        }

        @Test func invalidUTF8IsRefused() async throws {
            let server = try await started()
            var body = Array(Self.event(subject: #""subject":"key_?","#).utf8)
            let mark = try #require(body.firstIndex(of: UInt8(ascii: "?")))
            body[mark] = 0xFF
            let answer = try await server.post(
                "/v1/events", bytes: body, type: "application/cloudevents+json")
            #expect(answer.status == 400, "\(answer.text)")
            let problem: ProblemDocument = try answer.read()
            #expect(["invalid_utf8", "malformed"].contains(problem.code), "\(problem)")
        }

        @Test func whatNobodyKnowsIsKeptWithItsReason() async throws {
            let server = try await started()
            let stranger = Self.event(id: #""id":"s","#, subject: #""subject":"nobody","#)
            let odd = Self.event(id: #""id":"t","#, type: #""type":"no.such","#)
            let good = Self.event(id: #""id":"g","#)
            let answer = try await server.post("/v1/events", "[\(stranger),\(odd),\(good)]")
            #expect(try answer.read(Verdict.self).accepted == 3)
            try await eventually("set-aside events") {
                try await server.setAside().count == 2 ? true : nil
            }
            let letters = try await server.setAside("dead_letter")
            #expect(letters.map(\.reason) == ["unknown_type"])
            #expect(letters.map(\.offset).allSatisfy { $0 >= 0 })
            let waiting = try await server.setAside("quarantine")
            #expect(waiting.map(\.reason) == ["unknown_subject"])
            #expect(waiting.map(\.subject) == ["nobody"])

            // Once the catalog knows the subject, the event counts; a kill changes nothing.
            try await server.killAndRestart()
            let wider = TraceFixture.catalog + "  - {id: late, subjects: [nobody]}\n"
            let applied = try await server.post("/v1/catalog", wider, type: "application/yaml")
            #expect(applied.status == 200, "\(applied.text)")
            let expected: Set = [
                Totals.Row(customer: "c1", meter: "tokens", count: 1, value: 5),
                Totals.Row(customer: "c1", meter: "requests", count: 1, value: 1),
                Totals.Row(customer: "late", meter: "tokens", count: 1, value: 5),
                Totals.Row(customer: "late", meter: "requests", count: 1, value: 1),
            ]
            #expect(try await server.settled(expected) == expected)
            #expect(try await server.setAside("quarantine").isEmpty)
            #expect(try await server.setAside("dead_letter").count == 1)
        }

        @Test func oldEventsCountAsBackfillAndBatchesHaveABound() async throws {
            let server = try await started()
            let old = Self.event(time: Self.time(-40 * 86_400))
            let backfilled = try await server.post("/v1/events?backfill=true", old)
            #expect(backfilled.status == 202, "\(backfilled.text)")
            let many = (0...1_000).map { Self.event(id: #""id":"m\#($0)","#) }
            let refused = try await server.post(
                "/v1/events", "[" + many.joined(separator: ",") + "]")
            #expect(refused.status == 413, "\(refused.text)")
            let none = try await server.post("/v1/events", "[]")
            #expect(try none.read(Verdict.self).accepted == 0)
            let expected: Set = [
                Totals.Row(customer: "c1", meter: "tokens", count: 1, value: 5),
                Totals.Row(customer: "c1", meter: "requests", count: 1, value: 1),
            ]
            #expect(try await server.settled(expected) == expected)
            #expect(try await server.reconcile().drifts == [])
        }

        @Test func badQuestionsAreRefused() async throws {
            let server = try await started()
            let cases: [(body: String, status: Int)] = [
                ("", 400), ("{", 400), ("[]", 400), (#"{"feature":"calls"}"#, 400),
                (#"{"customer":"c1"}"#, 400), (#"{"customer":7,"feature":"calls"}"#, 400),
                (#"{"customer":"c1","feature":"calls","quantity":-1}"#, 400),
                (#"{"customer":"c1","feature":"calls","quantity":"NaN"}"#, 400),
                (#"{"customer":"c1","feature":"calls","quantity":1e300}"#, 400),
                (#"{"customer":"c1","feature":"calls","quantity":9223372036854775808}"#, 400),
                (#"{"customer":"c1","feature":"calls","quantity":0.5}"#, 400),
                (#"{"customer":"c1","feature":"tokens","quantity":1}"#, 400),
                (#"{"customer":"nobody","feature":"calls"}"#, 200),
                (#"{"customer":"c1","feature":"nothing"}"#, 200),
                (#"{"customer":"c1","feature":"calls","quantity":9223372036854775807}"#, 200),
            ]
            for item in cases {
                let answer = try await server.post("/v1/consume", item.body)
                #expect(answer.status == item.status, "\(item.body): \(answer.text)")
                if item.status == 200 {
                    #expect(try answer.read(DecisionAnswer.self).allowed == false, "\(item.body)")
                } else {
                    #expect(try answer.read(ProblemDocument.self).detail.isEmpty == false)
                }
            }
            let check = try await server.decision(
                "/v1/check", #"{"customer":"c1","feature":"calls"}"#)
            #expect(check.used == 0)
            #expect(try await server.get("/v1/nothing").status == 404)
            #expect(try await server.get("/v1/alerts?limit=no").status == 400)
            #expect(try await server.get("/v1/alerts?cursor=no").status == 400)
            #expect(try await server.admin("/healthz").status == 200)
        }
    }
}
