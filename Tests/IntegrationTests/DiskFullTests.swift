import Foundation
import Glibc
import Testing

extension Integration {
    /// The data directory on a file system of 24 MiB, in a mount namespace of the process's own, so
    /// that it vanishes with the process.
    @Suite(.serialized) struct DiskFull {
        private func makeServer() throws -> TollgateServer {
            let unshare = "/usr/bin/unshare"
            guard FileManager.default.isExecutableFile(atPath: unshare) else {
                throw Unmet("this test needs util-linux (\(unshare))")
            }
            let flags = geteuid() == 0 ? ["-m"] : ["-U", "-r", "-m"]
            // "$@" is the program, serve, --data-dir and the folder, and the rest.
            let script = #"mkdir -p "$4" && mount -t tmpfs -o size=24m none "$4" && exec "$@""#
            return try TollgateServer(
                catalog: TraceFixture.catalog,
                wrapper: [unshare] + flags + ["/bin/sh", "-c", script, "sh"])
        }

        /// The data directory as the process sees it.
        private func inside(_ server: TollgateServer) throws -> String {
            guard let pid = server.child?.pid else { throw Unmet("no process") }
            return "/proc/\(pid)/root" + server.dataDirectory
        }

        /// Writes until nothing fits any more.
        private func fill(_ path: String) throws {
            // SAFETY: the path is a C string for the call.
            let file = unsafe open(path, O_WRONLY | O_CREAT, 0o600)
            guard file >= 0 else { throw Unmet("cannot create \(path): errno \(errno)") }
            defer { close(file) }
            for size in [1 << 20, 4_096, 1] {
                let block = [UInt8](repeating: 7, count: size)
                // SAFETY: the buffer lives for the call.
                var isRoom = true
                while isRoom {
                    let count = unsafe block.withUnsafeBytes {
                        unsafe write(file, $0.baseAddress, size)
                    }
                    isRoom = count > 0
                }
            }
            guard errno == ENOSPC else { throw Unmet("filling ended with errno \(errno)") }
        }

        @Test func refusesUntilThereIsSpaceAgain() async throws {
            let server = try makeServer()
            try await server.start()
            let trace = try TraceFixture(rowCount: 3_000)
            let batches = trace.batches(of: 500)
            try await server.importEvents(Array(batches[..<2]))
            let filler = try inside(server) + "/filler"
            try fill(filler)

            // What is left in files already grown may take a little; then it must refuse.
            let type = "application/cloudevents-batch+json"
            let refusal = try await eventually("a refusal") { () -> HTTPAnswer? in
                for batch in batches {
                    let answer = try await server.post("/v1/events", bytes: batch, type: type)
                    if answer.status != 202 { return answer }
                }
                return nil
            }
            #expect(refusal.status == 503, "\(refusal.text)")
            #expect(refusal.headers["retry-after"] != nil)
            let problem: ProblemDocument = try refusal.read()
            #expect(
                problem.detail.contains("full") || problem.detail.contains("space"),
                "\(problem.detail)")
            let refused = try await server.post(
                "/v1/consume", #"{"customer":"c1","feature":"calls","quantity":10,"id":"full"}"#)
            #expect(refused.status == 503, "\(refused.text)")
            #expect(try await server.admin("/healthz").status == 200)

            try FileManager.default.removeItem(atPath: filler)
            try await server.importEvents(batches)
            let taken = try await eventually("an admission") { () -> DecisionAnswer? in
                let answer = try await server.post(
                    "/v1/consume",
                    #"{"customer":"c1","feature":"calls","quantity":10,"id":"full"}"#)
                return answer.status == 200 ? try answer.read() : nil
            }
            #expect(taken.allowed)
            #expect(taken.used == 10)
            let expected = trace.totals.union([
                Totals.Row(customer: "c1", meter: "calls", count: 1, value: 10)
            ])
            #expect(try await server.settled(expected) == expected)
            #expect(try await server.reconcile().drifts == [])
            #expect(try await server.admin("/readyz").status == 200)
            #expect(try await server.stop() == 0)
        }
    }
}
