import Foundation
import MeteringModel

/// Usage events of one meter, and the program's client: what tests of money share.
enum MoneyFixture {
    struct Use: Sendable {
        var id: String
        var customer: String
        var tokens: Int64
        var at: Timestamp

        init(_ id: String, _ customer: String, _ tokens: Int64, at: Timestamp? = nil) {
            self.id = id
            self.customer = customer
            self.tokens = tokens
            self.at = at ?? now
        }

        var json: String {
            #"{"specversion":"1.0","id":"\#(id)","source":"money","type":"llm.request","#
                + #""subject":"\#(customer)","time":"\#(at.rfc3339())","#
                + #""data":{"tokens":\#(tokens)}}"#
        }
    }

    static var now: Timestamp { Timestamp(seconds: Int64(Date().timeIntervalSince1970)) }

    /// `YYYY-MM` and the first instant of the month (UTC) that lies so many months back.
    static func month(before count: Int) -> (name: String, start: Timestamp) {
        let today = CivilDate(daysSinceEpoch: Int(now.seconds / 86_400))
        let first = CivilDate(year: today.year, month: today.month, day: 1).adding(months: -count)
        let start = Timestamp(seconds: Int64(first.daysSinceEpoch) * 86_400)
        return (String(start.rfc3339().prefix(7)), start)
    }
}

extension TollgateServer {
    /// Sends events and waits until they are counted.
    func use(_ uses: [MoneyFixture.Use]) async throws {
        let before = try await totals().map(\.count).reduce(0, +)
        try await importEvents([Array("[\(uses.map(\.json).joined(separator: ","))]".utf8)])
        try await eventually("\(uses.count) events are counted") {
            let count = try await totals().map(\.count).reduce(0, +)
            return count >= before + Int64(uses.count) ? true : nil
        }
    }

    /// A customer with a subject of the same name, on a plan.
    func customer(
        _ id: String, plan: String, start: String = "2025-01-01", more: String = ""
    ) async throws {
        try await change("PUT", "/v1/customers/\(id)", #"{"subjects":["\#(id)"]\#(more)}"#)
        try await change(
            "POST", "/v1/subscriptions",
            #"{"id":"sub-\#(id)","customer":"\#(id)","plan":"\#(plan)","start":"\#(start)"}"#)
    }

    func document(_ path: String) async throws -> Document {
        let answer = try await get(path)
        guard answer.status == 200 else { throw Unmet("\(path): \(answer.status) \(answer.text)") }
        return try answer.document()
    }

    /// Every item of every page.
    func items(_ path: String) async throws -> [Document] {
        var items: [Document] = []
        var cursor: String?
        repeat {
            let mark = path.contains("?") ? "&" : "?"
            let page = try await document(path + (cursor.map { "\(mark)cursor=\($0)" } ?? ""))
            items += page["items"]?.elements ?? []
            cursor = page["next"]?.text
        } while cursor != nil
        return items
    }

    /// Runs the program as a client of this server.
    func client(
        _ arguments: String..., code expected: Int32 = 0
    ) async throws -> (output: String, errors: String) {
        let result = try await run(
            Places.program(), arguments + ["--server", "http://127.0.0.1:\(port)"],
            folder: folder, name: "client")
        guard result.code == expected else {
            throw Unmet("\(arguments): \(result.code) \(result.errors) \(result.output)")
        }
        return (result.output, result.errors)
    }
}
