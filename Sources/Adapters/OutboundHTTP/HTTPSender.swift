import AsyncHTTPClient
import Foundation
import HostLookup
package import MeteringPorts
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// Requests to addresses that users name, under `AddressRules`.
///
/// The order of a request: the address is read strictly; its host is looked up once; every address
/// found is checked; the connection is made to one of them and to nothing else (the name is not
/// looked up again); redirects are answers, and not followed.
package final class HTTPSender: OutboundHTTP {
    package struct Options: Sendable {
        package var rules = AddressRules()
        package var connectSeconds = 5
        /// How long a looked-up address and connections to it are used for.
        package var keepSeconds = 60
        package var connectionsPerPlace = 8
        /// Lookups at one time: a resolver that hangs holds a thread up.
        package var lookupThreads = 16
        package var userAgent = "tollgate"
        /// PEM file of authorities that certificates may come from beside the system's.
        package var authorityFile: String?
        package init() {}
    }

    private let options: Options
    private let pool: ClientPool
    private let lookupThreads: NIOThreadPool

    /// - Throws: `.tls` when the file of authorities cannot be read.
    package init(_ options: Options = Options()) throws(OutboundFailure) {
        self.options = options
        var tls: TLSConfiguration?
        if let path = options.authorityFile { tls = Self.trusting(try Self.authorities(path)) }
        pool = ClientPool(options: options, tls: tls)
        lookupThreads = NIOThreadPool(numberOfThreads: options.lookupThreads)
        lookupThreads.start()
    }

    /// Reads a file of authorities as `init` does.
    /// - Throws: `.tls`, for people, when it cannot be read or holds none.
    package static func checkAuthorities(_ path: String) throws(OutboundFailure) {
        _ = try authorities(path)
    }

    /// Ends connections and threads; requests under way fail with `.closed` or `.broken`.
    package func close() async {
        await pool.close()
        try? await lookupThreads.shutdownGracefully()
    }

    package func problem(with url: String) -> String? {
        do throws(AddressProblem) {
            return options.rules.problem(with: try OutboundURL(url))?.description
        } catch {
            return error.description
        }
    }

    package func send(
        _ request: OutboundRequest
    ) async throws(OutboundFailure) -> OutboundResponse {
        let url: OutboundURL
        do throws(AddressProblem) {
            url = try OutboundURL(request.url)
            if let problem = options.rules.problem(with: url) { throw problem }
        } catch {
            throw OutboundFailure(code: .refused, message: error.description)
        }
        let result = await within(seconds: request.timeoutSeconds) {
            await self.exchange(request, url)
        }
        guard let result else {
            throw OutboundFailure(
                code: .timeout,
                message: "\(url.host) did not answer within \(request.timeoutSeconds) s",
                mayHaveArrived: true)
        }
        return try result.get()
    }

    // MARK: parts

    private static func authorities(
        _ path: String
    ) throws(OutboundFailure) -> [NIOSSLCertificate] {
        guard let bytes = FileManager.default.contents(atPath: path) else {
            throw OutboundFailure(code: .tls, message: "cannot read \(path)")
        }
        let certificates = try? NIOSSLCertificate.fromPEMBytes(Array(bytes))
        guard let certificates, !certificates.isEmpty else {
            throw OutboundFailure(
                code: .tls, message: "\(path) holds no certificates (PEM) that can be read")
        }
        return certificates
    }

    private static func trusting(_ authorities: [NIOSSLCertificate]) -> TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.additionalTrustRoots = [.certificates(authorities)]
        // A machine that has no authorities of its own trusts these alone.
        if (try? NIOSSLContext(configuration: configuration)) == nil {
            configuration.trustRoots = .certificates(authorities)
            configuration.additionalTrustRoots = []
        }
        return configuration
    }

    /// The first of the result and the end of the time; nil for the latter. What is under way then
    /// is cancelled, and waited for.
    private func within<Value: Sendable>(
        seconds: Int, _ body: @escaping @Sendable () async -> Value
    ) async -> Value? {
        await withTaskGroup(of: Value?.self) { group in
            group.addTask { await body() }
            group.addTask {
                try? await Task.sleep(for: .seconds(seconds))
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
    }

    private func exchange(
        _ request: OutboundRequest, _ url: OutboundURL
    ) async -> Result<OutboundResponse, OutboundFailure> {
        do throws(OutboundFailure) {
            let loan = try await client(for: url)
            let result = await perform(request, url, loan.client)
            await pool.giveBack(loan)
            return result
        } catch {
            return .failure(error)
        }
    }

    private func client(for url: OutboundURL) async throws(OutboundFailure) -> ClientPool.Loan {
        let place = ClientPool.Place(host: url.host, port: url.port, isSecure: url.isSecure)
        if let loan = await pool.borrow(place) { return loan }
        await pool.expire()
        let addresses = try await addresses(of: url.host)
        for address in addresses {
            if let problem = options.rules.problem(with: url, at: address) {
                throw OutboundFailure(code: .refused, message: problem.description)
            }
        }
        guard let address = addresses.first else {
            throw OutboundFailure(
                code: .unresolved, message: "\(url.host) has no address")
        }
        guard let loan = await pool.make(place, at: address) else {
            throw OutboundFailure(code: .closed, message: "this process is ending")
        }
        return loan
    }

    private func addresses(of host: String) async throws(OutboundFailure) -> [IPAddress] {
        if let literal = IPAddress(host) { return [literal] }
        // A stream, because waiting for it ends with the request's time; the lookup itself cannot
        // be broken off, and ends when the resolver gives up.
        let (results, sink) = AsyncStream<Result<[[UInt8]], HostLookupError>>.makeStream()
        lookupThreads.submit { state in
            if state == .active {
                do throws(HostLookupError) {
                    sink.yield(.success(try HostLookup.addresses(of: host)))
                } catch {
                    sink.yield(.failure(error))
                }
            }
            sink.finish()
        }
        var found: Result<[[UInt8]], HostLookupError>?
        for await result in results { found = result }
        guard let found else {
            throw OutboundFailure(
                code: .closed, message: "the look-up of \(host) was given up")
        }
        switch found {
        case .success(let list): return list.compactMap { IPAddress(bytes: $0) }
        case .failure(let error):
            throw OutboundFailure(
                code: .unresolved, message: "\(host) has no address: \(error.message)")
        }
    }

    private func perform(
        _ request: OutboundRequest, _ url: OutboundURL, _ client: HTTPClient
    ) async -> Result<OutboundResponse, OutboundFailure> {
        var outgoing = HTTPClientRequest(url: url.text)
        outgoing.method = HTTPMethod(rawValue: request.method)
        for header in request.headers {
            outgoing.headers.add(name: header.name, value: header.value)
        }
        outgoing.headers.replaceOrAdd(name: "User-Agent", value: options.userAgent)
        if !request.body.isEmpty { outgoing.body = .bytes(ByteBuffer(bytes: request.body)) }
        do {
            let answer = try await client.execute(
                outgoing, timeout: .seconds(Int64(request.timeoutSeconds)))
            var body: [UInt8] = []
            var isCut = false
            for try await part in answer.body {
                let room = request.responseBytesMax - body.count
                body += part.readableBytesView.prefix(room)
                if part.readableBytes > room {
                    // Leaving the loop gives the connection up.
                    isCut = true
                    break
                }
            }
            return .success(
                OutboundResponse(
                    status: Int(answer.status.code),
                    headers: answer.headers.map { OutboundHeader($0.name, $0.value) },
                    body: body, isCut: isCut))
        } catch {
            return .failure(OutboundFailure(error, host: url.host))
        }
    }
}
