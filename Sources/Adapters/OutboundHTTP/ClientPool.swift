import AsyncHTTPClient
import NIOCore
import NIOPosix
import NIOSSL

/// One client for each place and checked address, so that a connection leads where the check said
/// for as long as it lives. A client lives for 60 s after its host was looked up, and as long as
/// requests use it.
actor ClientPool {
    struct Place: Hashable, Sendable {
        var host: String
        var port: Int
        var isSecure: Bool
    }

    /// A client in use.
    struct Loan: Sendable {
        fileprivate var serial: Int
        var client: HTTPClient
    }

    private struct Entry {
        var serial: Int
        var client: HTTPClient
        var expires: NIODeadline
    }

    /// More places than this are not kept; the one that expires first goes.
    private static let entryCountMax = 512

    private let options: HTTPSender.Options
    private let tls: TLSConfiguration?
    private var entries: [Place: Entry] = [:]
    /// Loans by client, of those in the table and of those dropped from it.
    private var loanCounts: [Int: Int] = [:]
    private var retired: [Int: HTTPClient] = [:]
    private var lastSerial = 0
    private var isClosed = false

    init(options: HTTPSender.Options, tls: TLSConfiguration?) {
        self.options = options
        self.tls = tls
    }

    /// A client whose host was looked up and checked not long ago; nil when there is none.
    func borrow(_ place: Place) -> Loan? {
        guard !isClosed, let entry = entries[place], entry.expires > .now() else { return nil }
        return lend(entry)
    }

    /// A new client that connects to `address` whatever the host's name says by then; nil when
    /// closed.
    func make(_ place: Place, at address: IPAddress) async -> Loan? {
        if isClosed { return nil }
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: tls, redirectConfiguration: .disallow,
            timeout: .init(connect: .seconds(Int64(options.connectSeconds))),
            connectionPool: .init(idleTimeout: .seconds(Int64(options.keepSeconds))))
        configuration.dnsOverride = [place.host: address.description]
        configuration.httpVersion = .http1Only
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit =
            options.connectionsPerPlace
        lastSerial += 1
        let entry = Entry(
            serial: lastSerial,
            client: HTTPClient(
                eventLoopGroupProvider: .shared(MultiThreadedEventLoopGroup.singleton),
                configuration: configuration),
            expires: .now() + .seconds(Int64(options.keepSeconds)))
        let loan = lend(entry)
        if let old = entries.updateValue(entry, forKey: place) { await retire(old) }
        if entries.count > Self.entryCountMax,
            let oldest = entries.min(by: { $0.value.expires < $1.value.expires })?.key,
            let old = entries.removeValue(forKey: oldest)
        {
            await retire(old)
        }
        return loan
    }

    func giveBack(_ loan: Loan) async {
        let left = (loanCounts[loan.serial] ?? 1) - 1
        loanCounts[loan.serial] = left == 0 ? nil : left
        if left == 0, let client = retired.removeValue(forKey: loan.serial) {
            try? await client.shutdown()
        }
    }

    /// Ends the idle clients whose time is over.
    func expire() async {
        let now = NIODeadline.now()
        for (place, entry) in entries where entry.expires <= now {
            entries[place] = nil
            await retire(entry)
        }
    }

    /// Requests under way end with an error; idempotent.
    func close() async {
        isClosed = true
        let clients = entries.values.map(\.client) + retired.values
        entries = [:]
        retired = [:]
        for client in clients { try? await client.shutdown() }
    }

    private func lend(_ entry: Entry) -> Loan {
        loanCounts[entry.serial, default: 0] += 1
        return Loan(serial: entry.serial, client: entry.client)
    }

    private func retire(_ entry: Entry) async {
        if loanCounts[entry.serial] != nil {
            retired[entry.serial] = entry.client
        } else {
            try? await entry.client.shutdown()
        }
    }
}
