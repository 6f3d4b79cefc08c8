import Crypto
import Foundation
import MeteringModel

/// Follows the hash chain over exported rows:
/// `hash = SHA-256(previous hash ‖ canonical bytes of the row without its hashes)`.
struct AuditChain {
    private(set) var sequence: Int64 = 0
    private(set) var head = String(repeating: "0", count: 64)

    /// What is wrong with the next row; nil when it carries the chain on.
    mutating func problem(with row: Document) -> String? {
        guard case .object(var members) = row, let stated = row["seq"]?.integer else {
            return "row \(sequence + 1) is not an audit row"
        }
        guard stated == sequence + 1 else {
            return "row \(sequence + 1) is missing; row \(stated) follows \(sequence)"
        }
        guard members.removeValue(forKey: "prev_hash")?.text == head else {
            return "row \(stated) does not follow from the row before it"
        }
        guard let hash = members.removeValue(forKey: "hash")?.text,
            hash == Self.hash(after: head, Document.object(members))
        else { return "row \(stated) was altered" }
        sequence = stated
        head = hash
        return nil
    }

    static func hash(after previous: String, _ row: Document) -> String {
        var digest = SHA256()
        digest.update(data: bytes(ofHex: previous))
        digest.update(data: row.canonicalBytes)
        return digest.finalize().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private static func bytes(ofHex text: String) -> [UInt8] {
        var rest = text[...]
        var bytes: [UInt8] = []
        while let byte = UInt8(rest.prefix(2), radix: 16) {
            bytes.append(byte)
            rest = rest.dropFirst(2)
        }
        return bytes
    }
}
