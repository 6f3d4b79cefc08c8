/// Why an exchange with the server has no replies. An error *reply* is a value, not this.
package struct RedisError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Code: String, Sendable {
        /// There is no connection, or it was lost.
        case unreachable
        /// The deadline passed.
        case timeout
        /// The client was closed by its owner.
        case closed
        /// The queue is full; nothing was sent.
        case overloaded
        /// The server sent bytes that are no replies.
        case protocolError
        /// The server refused the password, the user or the database.
        case refused
        /// The exchange was bound to an earlier connection; nothing was sent.
        case sessionChanged
    }

    package var code: Code
    /// Never contains a password.
    package var message: String
    /// Whether the commands may have taken effect.
    package var isOutcomeUnknown: Bool

    package init(code: Code, message: String, isOutcomeUnknown: Bool = false) {
        self.code = code
        self.message = message
        self.isOutcomeUnknown = isOutcomeUnknown
    }

    package var description: String { message }

    /// The same failure, as seen by commands that were already on their way.
    func withUnknownOutcome() -> RedisError {
        RedisError(code: code, message: message, isOutcomeUnknown: true)
    }
}
