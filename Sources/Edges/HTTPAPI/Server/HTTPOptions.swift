package import MeteringModel
package import MeteringPorts

/// Every bound and every injected fact of the HTTP edge. Sizes in bytes, times in seconds.
package struct HTTPOptions: Sendable {
    /// Threads that serve connections.
    package var eventLoopCount = 2
    package var backlog: Int32 = 1_024
    /// Connections of the API listener; one more is told 503 and closed.
    package var connectionsMax = 10_000
    /// Requests whose answer a task is working on, over all connections; one more is told 503.
    package var requestsInFlightMax = 1_024
    /// Answers that one connection may owe before it is read no further.
    package var pipelineDepthMax = 64
    package var headBytesMax = 16 * 1_024
    package var bodyBytesMax = 1_024 * 1_024
    package var batchBytesMax = 5 * 1_024 * 1_024
    /// Bodies held in memory at the same time, over all connections.
    package var bufferedBytesMax = 256 * 1_024 * 1_024
    package var batchCountMax = 1_000
    /// From a request's first byte to the end of its head.
    package var headSecondsMax = 10
    /// From the end of a request's head to the end of its body.
    package var bodySecondsMax = 60
    /// Between requests.
    package var idleSecondsMax = 120
    /// How long a client may leave answers unread.
    package var stallSecondsMax = 60
    /// The longest wait that `Retry-After` asks for; quotas that refill later say so in the body.
    package var retryAfterSecondsMax: Int64 = 3_600
    /// When there are any, every `/v1` route needs one of them.
    package var apiKeys: [APIKey] = []
    package var clock: WallClock
    /// Seconds that a zone (IANA name) is ahead of UTC at an instant.
    package var offsetSeconds: @Sendable (_ zone: String, _ instant: Timestamp) -> Int
    /// Named in the OpenAPI document.
    package var version = "0.1.0"

    package init(
        clock: WallClock,
        offsetSeconds: @escaping @Sendable (_ zone: String, _ instant: Timestamp) -> Int
    ) {
        self.clock = clock
        self.offsetSeconds = offsetSeconds
    }
}

/// A bearer key and what it may do.
package struct APIKey: Sendable {
    package enum Scope: String, Sendable, CaseIterable {
        case check
        case writeEvents = "events:write"
        case readUsage = "usage:read"
        case admin
    }
    package var secret: String
    /// `admin` includes all others.
    package var scopes: Set<Scope>

    package init(secret: String, scopes: Set<Scope> = Set(Scope.allCases)) {
        self.secret = secret
        self.scopes = scopes
    }
}
