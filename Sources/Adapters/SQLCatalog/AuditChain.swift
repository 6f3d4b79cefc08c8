import Crypto
package import MeteringModel

/// The hash chain of the audit log: each link is the SHA-256 of the link before it and the
/// canonical bytes of the change.
package enum AuditChain {
    /// What the first link follows: 32 zero bytes.
    package static let origin = [UInt8](repeating: 0, count: 32)

    /// The link of a change whose document has these canonical bytes.
    package static func link(_ previous: [UInt8], _ document: [UInt8]) -> [UInt8] {
        var hash = SHA256()
        hash.update(data: previous)
        hash.update(data: document)
        return Array(hash.finalize())
    }

    package static func link(_ previous: [UInt8], _ change: ControlChange) -> [UInt8] {
        link(previous, change.document.canonicalBytes)
    }
}
