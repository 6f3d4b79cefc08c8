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
    /// Of an import; imports that are being received share this much memory.
    package var importBytesMax = 512 * 1_024 * 1_024
    /// From a request's first byte to the end of its head.
    package var headSecondsMax = 10
    /// From the end of a request's head to the end of its body.
    package var bodySecondsMax = 60
    /// The same for an import.
    package var importSecondsMax = 900
    /// Between requests.
    package var idleSecondsMax = 120
    /// How long a client may leave answers unread.
    package var stallSecondsMax = 60
    /// The longest wait that `Retry-After` asks for; quotas that refill later say so in the body.
    package var retryAfterSecondsMax: Int64 = 3_600
    /// When set, the API's listener speaks TLS (1.2 and later) only. The operator's stays plain.
    package var tls: TLSFiles?
    /// How often the certificate's files are looked at for a change.
    package var tlsCheckSeconds = 60
    /// Requests of one key to control-plane and report routes (0: any number), and how many of them
    /// may come at once. Nil: 200 and twice the rate, with loopback exempt while there is no key.
    package var rateLimitPerSecond: Int?
    package var rateLimitBurst: Int?
    /// The same for check, consume, reservations and events; twice as many at once.
    package var checkRateLimitPerSecond = 0
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

/// Where the certificate of the API's listener stands, both in PEM.
package struct TLSFiles: Sendable, Hashable {
    /// The server's certificate first, then those that lead to a root.
    package var certificateChain: String
    package var privateKey: String

    package init(certificateChain: String, privateKey: String) {
        self.certificateChain = certificateChain
        self.privateKey = privateKey
    }
}
