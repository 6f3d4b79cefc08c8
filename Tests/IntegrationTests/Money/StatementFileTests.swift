import Crypto
import Foundation
import MeteringModel
import Testing

extension Integration {
    /// Files of a closed month, over HTTP and by the client.
    @Suite(.serialized) struct StatementFiles {
        static let catalog = """
            meters:
              - {key: tokens, event_type: llm.request, aggregation: sum, value: $.tokens}
            features:
              - {key: tokens, type: metered, meter: tokens}
            plans:
              - key: pro
                currency: EUR
                fee: 49
                entitlements:
                  tokens:
                    limit: 1000
                    period: month
                    enforcement: soft
                    price: {unit: "0.10", included: limit}
              - key: tiers
                currency: USD
                entitlements:
                  tokens:
                    limit: unlimited
                    period: month
                    price:
                      graduated: [{up_to: 100, unit: 0.031}, {unit: 0.017, flat: 2}]
                      minimum: 5

            """

        /// Last month's usage of three customers; late events are waited for until it is closed
        /// by hand.
        static func server(
            _ month: (name: String, start: Timestamp), extra: [String] = []
        ) async throws -> TollgateServer {
            let server = try TollgateServer(
                catalog: catalog,
                extra: ["--dedupe-days", "100", "--billing-grace-hours", "2160"] + extra)
            try await server.start()
            let start = month.start.rfc3339()
            try await server.customer("acme", plan: "pro", start: start)
            try await server.customer("tiny", plan: "tiers", start: start)
            try await server.customer("wide", plan: "tiers", start: start)
            var uses: [MoneyFixture.Use] = []
            for day in 0..<25 as Range<Int64> {
                let at = month.start.adding(seconds: day * 86_400 + 43_200)
                uses.append(.init("acme-\(day)", "acme", 100, at: at))
                uses.append(.init("wide-\(day)", "wide", 13, at: at))
            }
            uses.append(.init("tiny", "tiny", 3, at: month.start.adding(seconds: 86_400)))
            try await server.use(uses)
            return server
        }

        private func close(_ server: TollgateServer, _ month: String) async throws {
            let closed = try await server.client(
                "billing", "close", month, "--reason", "invoices go out")
            #expect(closed.output.contains("3 statements closed"), "\(closed)")
        }

        /// A file's bytes, put together from pages, and the digest that the last of them tells.
        private func file(
            _ server: TollgateServer, _ month: String, _ format: String, pageLines: Int
        ) async throws -> (bytes: Data, digest: String?) {
            var bytes = Data()
            var cursor: String?
            while true {
                let answer = try await server.get(
                    "/v1/statements/export?month=\(month)&format=\(format)&limit=\(pageLines)"
                        + (cursor.map { "&cursor=\($0)" } ?? ""))
                guard answer.status == 200 else { throw Unmet(answer.text) }
                bytes += answer.body
                cursor = answer.headers["tollgate-next-cursor"]
                if cursor == nil { return (bytes, answer.headers["tollgate-export-digest"]) }
            }
        }

        /// Lines as the statements of the API have them, by id.
        private func lines(
            _ server: TollgateServer, _ month: String
        ) async throws -> [String: Document] {
            var lines: [String: Document] = [:]
            for customer in ["acme", "tiny", "wide"] {
                let statement = try await server.document(
                    "/v1/customers/\(customer)/statements/\(month)")
                #expect(statement["state"]?.text == "closed")
                for line in statement["lines"]?.elements ?? [] {
                    lines[line["id"]?.text ?? ""] = line
                }
            }
            return lines
        }

        private func digest(_ bytes: Data) -> String {
            "sha256:"
                + SHA256.hash(data: bytes).map { byte in
                    (byte < 16 ? "0" : "") + String(byte, radix: 16)
                }.joined()
        }

        @Test func filesOfAClosedMonthAreItsStatements() async throws {
            let month = MoneyFixture.month(before: 1)
            let server = try await Self.server(month)
            try await close(server, month.name)
            let lines = try await lines(server, month.name)
            // 49.00 and 1,500 × 0.10; 100 × 0.031 + 225 × 0.017 + 2 = 8.925; 0.09 and 4.91.
            let amounts = lines.values.compactMap { $0["amount"]?.text }.sorted()
            #expect(amounts == ["0.09", "150.00", "4.91", "49.00", "8.93"])

            let csv = try await file(server, month.name, "csv", pageLines: 10_000)
            #expect(csv.digest == digest(csv.bytes))
            let records = try CSVText.records(String(decoding: csv.bytes, as: UTF8.self))
            #expect(records.count == lines.count)
            for record in records {
                let line = try #require(lines[record["line_id"] ?? ""])
                for name in ["kind", "amount", "currency", "unit_price", "exact_amount"] {
                    #expect(record[name] == line[name]?.text ?? "", "\(name) of \(record)")
                }
                #expect(record["quantity"] == line["quantity"]?.digits, "\(record)")
                #expect(record["month"] == month.name)
            }
            let rows = try await file(server, month.name, "ndjson", pageLines: 1)
            #expect(rows.digest == digest(rows.bytes))
            let documents = try rows.bytes.split(separator: 10).map {
                try JSONParser.parse(Array($0))
            }
            #expect(documents.count == lines.count)
            for document in documents {
                let line = try #require(document["line"])
                #expect(line == lines[line["id"]?.text ?? ""])
            }
        }

        @Test func theSameMonthIsAlwaysTheSameFile() async throws {
            let month = MoneyFixture.month(before: 1)
            let server = try await Self.server(month)
            try await close(server, month.name)
            for format in ["csv", "ndjson", "focus"] {
                let whole = try await file(server, month.name, format, pageLines: 10_000)
                let pages = try await file(server, month.name, format, pageLines: 2)
                #expect(whole.bytes == pages.bytes)
                #expect(whole.digest != nil && whole.digest == pages.digest)
                let path = server.folder.path + "/" + format
                let written = try await server.client(
                    "exports", "statements", "--period", month.name, "--format", format, "--out",
                    path)
                #expect(written.errors.contains(try #require(whole.digest)), "\(written)")
                #expect(FileManager.default.contents(atPath: path) == whole.bytes)
            }
            // What is used later is a line of the next statement, not of this file.
            let before = try await file(server, month.name, "csv", pageLines: 100)
            try await server.use([.init("late", "acme", 10, at: month.start)])
            try await server.killAndRestart()
            let adjusted = try await eventually("an adjustment") { () -> Document? in
                let next = try await server.document(
                    "/v1/customers/acme/statements/\(MoneyFixture.month(before: 0).name)")
                return next["lines"]?.elements?.first { $0["kind"]?.text == "adjustment" }
            }
            #expect(adjusted["amount"]?.text == "1.00", "\(adjusted)")
            let after = try await file(server, month.name, "csv", pageLines: 100)
            #expect(after.bytes == before.bytes)
            #expect(after.digest == before.digest)
            let notes = try await server.items("/v1/exports/statements?month=\(month.name)")
            #expect(Set(notes.compactMap { $0["format"]?.text }) == ["csv", "ndjson", "focus"])
            let check = try await server.client("billing", "check")
            #expect(!check.output.contains("DRIFT") || check.output.contains("0"), "\(check)")
        }
    }
}

/// RFC 4180 with a head, read without the code that writes it.
enum CSVText {
    static func records(_ text: String) throws -> [[String: String]] {
        var rows: [[String]] = []
        var row: [String] = []
        var cell = ""
        var isQuoted = false
        // CRLF is one Character.
        var rest = text[...]
        while let next = rest.popFirst() {
            if isQuoted {
                if next != "\"" {
                    cell.append(next)
                } else if rest.first == "\"" {
                    cell.append(rest.removeFirst())
                } else {
                    isQuoted = false
                }
            } else if next == "\"" {
                isQuoted = true
            } else if next == "," || next == "\r\n" {
                row.append(cell)
                cell = ""
                if next == "\r\n" {
                    rows.append(row)
                    row = []
                }
            } else {
                cell.append(next)
            }
        }
        guard let head = rows.first, row.isEmpty, cell.isEmpty else {
            throw Unmet("no CSV: \(text.prefix(200))")
        }
        return try rows.dropFirst().map { row in
            guard row.count == head.count else { throw Unmet("\(row.count) cells: \(row)") }
            return Dictionary(zip(head, row), uniquingKeysWith: { first, _ in first })
        }
    }
}
