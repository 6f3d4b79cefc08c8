import Foundation
import MeteringModel
import SQLLedger

/// The key under which this installation hashes identities and proves its own events.
///
/// It must outlive the ledger: a ledger rebuilt from the log under another key would take this
/// installation's own admissions for forgeries. So it stands in a file of its own beside the
/// stores, and in the ledger; either brings the other back.
enum InstallationKey {
    static let fileName = "installation.key"
    static let byteCount = 16

    static func load(_ directory: String, _ ledger: SQLLedger) throws -> KeyHash {
        let path = directory + "/" + fileName
        let inFile = try read(path)
        let hasLog = FileManager.default.fileExists(atPath: directory + "/journal.db")
        let stored = try ledger.installationSecret("key_hash") {
            if let inFile { return inFile }
            // A log that somebody wrote before, and neither copy of its key: refused below.
            if hasLog { return [] }
            return (0..<byteCount).map { _ in UInt8.random(in: .min ... .max) }
        }
        guard stored.count == byteCount else {
            throw ConfigurationError(
                "\(path) is missing, and the ledger does not have the key either, but there is an "
                    + "event journal: admissions in it could not be recognised. Bring back "
                    + "\(fileName) or ledger.db from a backup, remove the ledger.db that was just "
                    + "made, and start again")
        }
        if let inFile, inFile != stored {
            throw ConfigurationError(
                "\(path) is not the key that the ledger was made with; they come from different "
                    + "installations. Put the right file there, or start with another --data-dir")
        }
        if inFile == nil { try write(stored, path) }
        func word(_ start: Int) -> UInt64 {
            (0..<8).reduce(0) { $0 | UInt64(stored[start + $1]) << UInt64($1 * 8) }
        }
        return KeyHash(k0: word(0), k1: word(8))
    }

    private static func read(_ path: String) throws -> [UInt8]? {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return nil }
        let digits = text.filter { !$0.isWhitespace }
        var bytes: [UInt8] = []
        var rest = digits[...]
        while rest.count >= 2, let byte = UInt8(rest.prefix(2), radix: 16) {
            bytes.append(byte)
            rest = rest.dropFirst(2)
        }
        guard rest.isEmpty, bytes.count == byteCount else {
            throw ConfigurationError(
                "\(path) does not hold \(byteCount * 2) hex digits; restore it from a backup")
        }
        return bytes
    }

    /// Written beside and moved in, so that a crash leaves no half of it; readable by its owner.
    private static func write(_ bytes: [UInt8], _ path: String) throws {
        let text = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() + "\n"
        let manager = FileManager.default
        let draft = path + ".new"
        try? manager.removeItem(atPath: draft)
        guard
            manager.createFile(
                atPath: draft, contents: Data(text.utf8), attributes: [.posixPermissions: 0o600])
        else { throw ConfigurationError("--data-dir: cannot write \(path)") }
        if let handle = FileHandle(forUpdatingAtPath: draft) {
            try handle.synchronize()
            try handle.close()
        }
        try manager.moveItem(atPath: draft, toPath: path)
    }
}
