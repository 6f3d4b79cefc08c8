import ArgumentParser
import Foundation
import MeteringModel
import MeteringPorts
import Provisioning
import SQLCatalog

extension AuditCommand {
    struct Verify: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check the whole chain; name the first row that was altered.",
            discussion: """
                Reads the store itself (--data-dir, no server needed), an export (--file), or else
                the server. A chain proves only that it hangs together; to prove that nobody
                rewrote all of it, compare with a head that was kept elsewhere (--head). An export
                must be whole: one made with a filter has gaps and cannot be verified.

                EXAMPLES
                  tollgate audit verify --data-dir ./tollgate-data
                  tollgate audit verify --file audit.ndjson --head head.json --jwks jwks.json

                \(CommandExit.help)
                """)

        @Option(help: "Folder of the embedded stores.") var dataDir: String?
        @Option(name: .shortAndLong, help: "An export (NDJSON).") var file: String?
        @Option(help: "A signed head that was kept (JSON).") var head: String?
        @Option(help: "The public keys that the head is checked with (JSON).") var jwks: String?
        @OptionGroup var connection: ConnectionOptions

        func perform(_ client: APIClient) async throws(ClientFailure) {
            var chain = AuditChain()
            var kept = try head.map { (path) throws(ClientFailure) in try KeptHead(path, jwks) }
            if let dataDir { return try verifyStore(dataDir, &kept) }
            if let file {
                try verify(file, &chain, &kept)
            } else {
                try await AuditPages.walk(client, []) { (row) throws(ClientFailure) in
                    try Self.check(row, isExport: false, &chain, &kept)
                }
            }
            try finish(chain.sequence, chain.head, kept)
        }

        private func verifyStore(
            _ directory: String, _ kept: inout KeptHead?
        ) throws(ClientFailure) {
            let path = directory + "/catalog.db"
            guard FileManager.default.fileExists(atPath: path) else {
                throw ClientFailure(.badInput, "there is no \(path)")
            }
            let verdict: ChainVerdict
            do throws(ControlStoreError) {
                verdict = try SQLCatalog.verify(path: path) { sequence, hash in
                    kept?.note(sequence, AuditVerify.hex(hash))
                }
            } catch {
                throw ClientFailure(.internalError, error.message)
            }
            switch verdict {
            case .intact(let count, let head): try finish(count, AuditVerify.hex(head), kept)
            case .broken(let sequence, let reason):
                throw ClientFailure(.driftFound, "row \(sequence) was altered: \(reason)")
            }
        }

        private func verify(
            _ file: String, _ chain: inout AuditChain, _ kept: inout KeptHead?
        ) throws(ClientFailure) {
            let bytes = Array(try readInput(file))
            var start = 0
            while start < bytes.count {
                let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
                if end > start {
                    let row: Document
                    do throws(JSONSyntaxError) {
                        row = try JSONParser.parse(bytes, in: start..<end)
                    } catch {
                        throw ClientFailure(
                            .driftFound, "\(file): the row after \(chain.sequence): \(error)")
                    }
                    try Self.check(row, isExport: true, &chain, &kept)
                }
                start = end + 1
            }
        }

        private static func check(
            _ row: Document, isExport: Bool, _ chain: inout AuditChain, _ kept: inout KeptHead?
        ) throws(ClientFailure) {
            let before = chain.sequence
            if let problem = chain.problem(with: row) {
                let hasGap = row["seq"]?.integer.map { $0 > before + 1 } ?? false
                let hint =
                    hasGap && isExport
                    ? "\nAn export made with a filter has gaps and cannot be verified: export the "
                        + "whole log." : ""
                throw ClientFailure(.driftFound, problem + hint)
            }
            kept?.note(chain.sequence, chain.head)
        }

        private func finish(
            _ count: Int64, _ head: String, _ kept: KeptHead?
        ) throws(ClientFailure) {
            if let problem = kept?.problem { throw ClientFailure(.driftFound, problem) }
            if connection.json {
                let answer = Document.object([
                    "rows": .integer(count), "head": .string(head), "intact": .bool(true),
                ])
                return Terminal.result(answer.canonicalText)
            }
            Terminal.result("intact: \(count) rows, head \(head)")
            if kept != nil {
                Terminal.message("the kept head is in the chain, and its signature holds")
            }
        }
    }
}

enum AuditVerify {
    static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

/// A signed head from outside, and whether the chain has it.
struct KeptHead {
    private let sequence: Int64
    private let hash: String
    private var isMet = false
    private var other: String?

    /// - Throws: when it cannot be read, or its signature does not hold.
    init(_ path: String, _ keys: String?) throws(ClientFailure) {
        let head = try DocumentInput.read(file: path, text: nil)
        guard let sequence = head["seq"]?.integer, let hash = head["hash"]?.text else {
            throw ClientFailure(.badInput, "\(path) is not a signed head")
        }
        guard let keys else {
            throw ClientFailure(.usage, "--head needs the public keys: --jwks FILE")
        }
        let jwks = try DocumentInput.read(file: keys, text: nil)
        guard AuditSigner.isSigned(head, jwks: jwks) else {
            throw ClientFailure(.driftFound, "the signature of \(path) does not hold")
        }
        self.sequence = sequence
        self.hash = hash
    }

    mutating func note(_ sequence: Int64, _ hash: String) {
        guard sequence == self.sequence else { return }
        isMet = hash == self.hash
        other = hash
    }

    var problem: String? {
        if isMet || sequence == 0 { return nil }
        if other != nil {
            return "row \(sequence) is not the one that was signed: history was rewritten"
        }
        return "the log ends before row \(sequence), which was signed: rows are missing"
    }
}
