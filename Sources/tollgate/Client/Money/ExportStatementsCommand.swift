import ArgumentParser
import Crypto
import Foundation
import MeteringModel
import NIOHTTP1

extension ExportsCommand {
    struct ExportStatements: ClientCommand {
        enum Format: String, ExpressibleByArgument, CaseIterable { case csv, ndjson, focus }

        static let configuration = CommandConfiguration(
            commandName: "statements",
            abstract: "Write the lines of a month's closed statements into a file.",
            discussion: """
                The file of a closed month is always the same; the server notes who took it, and \
                its SHA-256, which is compared with what was written.

                EXAMPLES
                  tollgate exports statements --period 2026-10 --out october.csv
                  tollgate exports statements --period 2026-10 --format focus --out focus.csv
                  tollgate exports statements --period 2026-10 --format ndjson | jq .line.amount

                \(CommandExit.help)
                """)

        @Option(help: ArgumentHelp("The month, YYYY-MM.", valueName: "month"))
        var period: String

        @Option(help: "csv, ndjson or focus (FOCUS 1.2 as CSV).")
        var format = Format.csv

        @Option(help: ArgumentHelp("Where to; stdout when absent.", valueName: "file"))
        var out: String?

        @Option(help: "Only this one's.")
        var customer: String?

        @OptionGroup var connection: ConnectionOptions

        private static let pageLines = 5_000

        func validate() throws {
            if BillingMonth(period) == nil {
                throw ValidationError("\(period) is no month; write it as 2026-10.")
            }
        }

        func perform(_ client: APIClient) async throws(ClientFailure) {
            let target = try ExportTarget(out)
            var digest = SHA256()
            var cursor: String?
            while true {
                let reply = try await client.reply(request(cursor))
                digest.update(data: reply.body)
                try target.write(reply.body)
                let next = reply.headers.first(name: "Tollgate-Next-Cursor")
                if let next, next != cursor {
                    cursor = next
                    continue
                }
                let written = "sha256:" + HexText.of(digest.finalize())
                if let noted = reply.headers.first(name: "Tollgate-Export-Digest"),
                    noted != written
                {
                    throw ClientFailure(
                        .retryLater,
                        "the month was closed for more customers meanwhile; run it again")
                }
                try target.finish()
                if let out { Terminal.message("\(out): \(written)") }
                return
            }
        }

        private func request(_ cursor: String?) -> APIRequest {
            var query = [
                (name: "month", value: period), (name: "format", value: format.rawValue),
                (name: "limit", value: String(Self.pageLines)),
            ]
            if let customer { query.append(("customer", customer)) }
            if let cursor { query.append(("cursor", cursor)) }
            var request = APIRequest(
                .get, ["v1", "statements", "export"], query: query, timeoutSeconds: 300)
            request.headers = [("Accept", "*/*")]
            return request
        }
    }
}

/// A file that is there under its name only when it is whole, or stdout.
private struct ExportTarget {
    private let path: String?
    private let handle: FileHandle

    init(_ path: String?) throws(ClientFailure) {
        self.path = path
        guard let path else {
            handle = .standardOutput
            return
        }
        let draft = path + ".part"
        guard FileManager.default.createFile(atPath: draft, contents: nil),
            let handle = FileHandle(forWritingAtPath: draft)
        else { throw ClientFailure(.usage, "--out: cannot write \(draft)") }
        self.handle = handle
    }

    func write(_ data: Data) throws(ClientFailure) {
        do {
            try handle.write(contentsOf: data)
        } catch {
            throw ClientFailure(
                .internalError, "cannot write \(path ?? "stdout"): \(error.localizedDescription)")
        }
    }

    func finish() throws(ClientFailure) {
        guard let path else { return }
        do {
            try handle.synchronize()
            try handle.close()
        } catch {
            throw ClientFailure(
                .internalError, "cannot write \(path): \(error.localizedDescription)")
        }
        // SAFETY: both names are bridged as C strings for the time of the call.
        guard unsafe rename(path + ".part", path) == 0 else {
            throw ClientFailure(.internalError, "cannot move \(path).part to \(path)")
        }
    }
}
