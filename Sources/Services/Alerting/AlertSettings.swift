/// The bounds of alerting.
package struct AlertSettings: Sendable {
    /// Endpoints that a request is under way for at one time; the others wait for a free place.
    package var endpointsInFlightMax = 64
    /// Requests that an endpoint may make before it gives its place to another.
    package var requestsPerTurnMax = 200
    /// Deliveries read from a line at once.
    package var readMax = 500
    /// Entries of a feed read at once.
    package var feedPageSize = 500
    /// Members of one digest.
    package var digestMembersMax = 100
    /// Of a body; what Standard Webhooks asks for.
    package var bodyBytesMax = 20_000
    /// Days that finished messages are kept for, so long can they be sent again.
    package var keepDays: Int64 = 90
    /// For how long a secret that was rotated out signs on.
    package var oldSecretSeconds: Int64 = 86_400
    /// Messages that one command may put into a line again.
    package var resendMax = 100_000
    /// How long an endpoint is left alone when what came of its requests cannot be written down:
    /// sending on would repeat the same message for ever.
    package var storeTroubleSeconds: Int64 = 30
    package init() {}
}
