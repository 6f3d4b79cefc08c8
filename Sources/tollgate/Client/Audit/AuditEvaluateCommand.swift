import ArgumentParser
import Foundation
import MeteringModel
import SQLCatalog
import YAMLCatalog

extension AuditCommand {
    /// Needs no server.
    struct Evaluate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Decide past decisions again, from the exported log alone.",
            discussion: """
                A decision document names the revision and the instant that it was made by, and what
                was used and held then. The log gives what the customer was entitled to; together
                they must give the same answer. The log's hash chain is checked on the way.

                EXAMPLE
                  tollgate audit export > audit.ndjson
                  tollgate audit evaluate --audit audit.ndjson --decisions decisions.ndjson

                \(CommandExit.help)
                """)

        @Option(help: "The exported log, whole (NDJSON).") var audit: String
        @Option(help: "Decision documents as answered, one a line (NDJSON); - reads stdin.")
        var decisions: String
        @Flag(help: "Print the result as JSON.") var json = false

        func run() async throws {
            do throws(ClientFailure) {
                try evaluate()
            } catch {
                if !error.message.isEmpty { Terminal.message(error.message) }
                throw ExitCode(error.status.rawValue)
            }
        }

        private func evaluate() throws(ClientFailure) {
            var pending = try documents(decisions).enumerated().map { index, document in
                PastDecision(line: index + 1, document: document)
            }
            if let unread = pending.first(where: { $0.revision == nil || $0.decidedAt == nil }) {
                throw ClientFailure(
                    .badInput,
                    "\(decisions):\(unread.line): not a decision with revision and decided_at")
            }
            pending.sort { ($0.revision ?? 0, $0.line) < ($1.revision ?? 0, $1.line) }
            var differences: [(line: Int, reason: String)] = []
            var replay = DecisionReplay(zone: { try? ZoneFiles.load($0) })
            var chain = AuditChain()
            var next = pending[...]
            func decide(upTo revision: Int64) throws(ClientFailure) {
                while let decision = next.first, let at = decision.revision, at < revision {
                    next = next.dropFirst()
                    if let reason = try replay.difference(decision.document) {
                        differences.append((decision.line, reason))
                    }
                }
            }
            for row in try documents(audit) {
                if let problem = chain.problem(with: row) {
                    throw ClientFailure(.driftFound, "\(audit): \(problem)")
                }
                guard let change = ControlChange(document: row) else {
                    throw ClientFailure(.badInput, "\(audit): row \(chain.sequence) is unreadable")
                }
                try decide(upTo: change.sequence)
                replay.take(change)
            }
            try decide(upTo: chain.sequence + 1)
            if let beyond = next.first {
                throw ClientFailure(
                    .badInput,
                    "\(decisions):\(beyond.line): decided by revision \(beyond.revision ?? 0), but "
                        + "the log ends at \(chain.sequence)")
            }
            try report(pending.count, differences)
        }

        private func report(
            _ count: Int, _ differences: [(line: Int, reason: String)]
        ) throws(ClientFailure) {
            if json {
                let answer = Document.object([
                    "decisions": .integer(count), "same": .integer(count - differences.count),
                    "different": .array(
                        differences.map {
                            .object(["line": .integer($0.line), "reason": .string($0.reason)])
                        }),
                ])
                Terminal.result(answer.canonicalText)
            } else {
                for difference in differences {
                    let text = "\(decisions):\(difference.line): \(difference.reason)"
                    Terminal.result(TextTable.printable(text))
                }
                Terminal.result(
                    "\(count) decisions, \(count - differences.count) decided the same again")
            }
            if !differences.isEmpty { throw ClientFailure(.driftFound) }
        }

        private func documents(_ path: String) throws(ClientFailure) -> [Document] {
            let bytes = Array(try readInput(path))
            var documents: [Document] = []
            var start = 0
            var line = 1
            while start < bytes.count {
                let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
                if end > start {
                    do throws(JSONSyntaxError) {
                        documents.append(try JSONParser.parse(bytes, in: start..<end))
                    } catch {
                        throw ClientFailure(.badInput, "\(path):\(line): \(error)")
                    }
                }
                start = end + 1
                line += 1
            }
            return documents
        }
    }
}

/// One answer of the past.
private struct PastDecision {
    var line: Int
    var document: Document
    var revision: Int64? { document["revision"]?.integer }
    var decidedAt: Timestamp? { document["decided_at"]?.text.flatMap { Timestamp(rfc3339: $0) } }
}
