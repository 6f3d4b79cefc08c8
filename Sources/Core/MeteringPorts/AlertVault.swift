/// The cryptography of alerts: signatures of requests, and secrets at rest. A port, so that the
/// service is tested without the library.
package protocol AlertVault: AnyObject, Sendable {
    func randomBytes(_ count: Int) -> [UInt8]
    /// HMAC-SHA256, 32 bytes.
    func authenticationCode(key: [UInt8], _ message: [UInt8]) -> [UInt8]
    /// The same for the same text, and of no use for finding it: what a secret is called by.
    func fingerprint(_ text: [UInt8]) -> [UInt8]
    /// Encrypts and authenticates. `context` must be given again to open it, so that one endpoint's
    /// secret cannot stand in for another's. Names the key that it was sealed with.
    func seal(_ plain: [UInt8], context: String) -> [UInt8]?
    /// Nil: altered, of another context, or sealed with a key that is not there.
    func open(_ sealed: [UInt8], context: String) -> [UInt8]?
}
