package import MeteringPorts

/// What one request carries: a message, or several together.
package struct AlertParcel: Sendable, Hashable {
    /// The same on every repetition.
    package var id: String
    package var members: [AlertMessage]
    /// The webhook's body.
    package var body: [UInt8]
    package init(id: String, members: [AlertMessage], body: [UInt8]) {
        self.id = id
        self.members = members
        self.body = body
    }
}

/// What came of a request.
package struct AlertVerdict: Sendable, Hashable {
    package enum Outcome: Sendable, Hashable {
        case delivered
        /// Not now. Throttled: the endpoint says that there is too much.
        case retry(isThrottled: Bool, afterSeconds: Int64?)
        /// The endpoint says that it is no more: nothing is sent until somebody enables it.
        case gone
    }
    package var outcome: Outcome
    package var status: Int?
    /// For people, printable, short.
    package var detail: String
    package init(_ outcome: Outcome, status: Int? = nil, detail: String) {
        self.outcome = outcome
        self.status = status
        self.detail = detail
    }
}

/// One way to send. An implementation never tries again by itself.
package protocol AlertTransport: Sendable {
    func send(_ parcel: AlertParcel, to endpoint: AlertEndpoint) async -> AlertVerdict
}
