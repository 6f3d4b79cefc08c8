import Foundation
import Testing

extension Integration {
    /// A process that cannot start says what to do about it and ends with a code of its class.
    @Suite(.serialized) struct BadStart {
        let folder: TestFolder
        let program: String

        init() throws {
            folder = try TestFolder()
            program = try Places.program()
        }

        private func serve(
            _ arguments: [String], environment: [String: String] = [:]
        ) async throws -> (code: Int32, output: String, errors: String) {
            try await run(
                program,
                ["serve", "--data-dir", folder.path + "/data", "--admin", "127.0.0.1:0"]
                    + arguments, folder: folder, environment: environment)
        }

        @Test func unknownFlags() async throws {
            let ended = try await serve(["--no-such-flag"])
            #expect(ended.code == 64)
            #expect(ended.errors.contains("--no-such-flag"))
            #expect(ended.output.isEmpty)
        }

        @Test(arguments: [
            (["--http", "nonsense"], "host:port"), (["--http", "127.0.0.1:99999"], "host:port"),
            (["--dedupe-days", "0"], "1 to 400"),
            (["--rollup-hours-days", "61"], "62 to"),
            (["--rollup-days-days=-1"], "0 (for ever)"),
            (["--rollup-days-days", "100"], "at least as long"),
            (["--kafka-property", "novalue"], "key=value"),
            (["--config", "/nonexistent.yaml"], "/nonexistent.yaml"),
            (["--log-level", "loud"], "trace, debug, info, warning, error"),
            (["--http", "127.0.0.1:8123", "--admin", "127.0.0.1:8123"], "same port"),
            (["--catalog", "/nonexistent.yaml"], "cannot read /nonexistent.yaml"),
            (["--outbound-ca", "/nonexistent.pem"], "--outbound-ca: cannot read /nonexistent.pem"),
            (["--outbound-ca", "/dev"], "--outbound-ca: cannot read /dev"),
        ])
        func valuesThatMeanNothing(_ arguments: [String], _ hint: String) async throws {
            let ended = try await serve(arguments)
            #expect(ended.code == 64)
            #expect(ended.errors.contains(hint), "\(ended.errors)")
        }

        @Test(arguments: ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
        func filesWithoutAuthorities(_ text: String) async throws {
            let file = try folder.file("authorities.pem", text)
            let ended = try await serve(["--outbound-ca", file, "--check-config"])
            #expect(ended.code == 64)
            #expect(ended.errors.contains("--outbound-ca: \(file) holds no certificates (PEM)"))
        }

        @Test func unknownNamesInTheConfigurationFile() async throws {
            let file = try folder.file("config.yaml", "htpp: 127.0.0.1:0\n")
            let ended = try await serve(["--config", file])
            #expect(ended.code == 64)
            #expect(ended.errors.contains("htpp"))
        }

        @Test func listsInTheConfigurationFile() async throws {
            let file = try folder.file("config.yaml", "kafka: [broker1, broker2]\n")
            let ended = try await serve(["--config", file])
            #expect(ended.code == 64)
            #expect(ended.errors.contains("kafka must be one plain value"), "\(ended.errors)")
        }

        @Test(arguments: [true, false])
        func badCatalogsAreLocated(_ checkOnly: Bool) async throws {
            let broken = TraceFixture.catalog.replacing(
                "aggregation: sum", with: "aggregation: smu")
            let file = try folder.file("catalog.yaml", broken)
            let ended = try await serve(
                ["--http", "127.0.0.1:0", "--catalog", file] + (checkOnly ? ["--check-config"] : [])
            )
            #expect(ended.code == 65)
            #expect(ended.errors.contains("catalog.yaml:2:57: "), "\(ended.errors)")
            #expect(ended.errors.contains("smu"))
            #expect(!ended.output.contains("ready"))
        }

        @Test func aFileThatIsNoYAML() async throws {
            let file = try folder.file("catalog.yaml", "meters:\n  - {key: tokens\n")
            let ended = try await serve(["--catalog", file, "--check-config"])
            #expect(ended.code == 65)
            #expect(ended.errors.contains("catalog.yaml:3:1: "), "\(ended.errors)")
            let missing = try await serve(["--catalog", "/nonexistent", "--check-config"])
            #expect(missing.code == 64)
            #expect(missing.errors == "tollgate: --catalog: cannot read /nonexistent\n")
        }

        @Test func checkConfigStartsNothing() async throws {
            let file = try folder.file("catalog.yaml", TraceFixture.catalog)
            let ended = try await serve(["--catalog", file, "--check-config"])
            #expect(ended.code == 0, "\(ended.errors)")
            #expect(!FileManager.default.fileExists(atPath: folder.path + "/data"))
            let url = try await serve(["--redis", "http://nowhere", "--check-config"])
            #expect(url.code == 64)
            #expect(url.errors.contains("--redis"))
        }

        @Test func otherAddressesNeedKeys() async throws {
            let refused = try await serve(["--http", "0.0.0.0:0"])
            #expect(refused.code == 64)
            #expect(refused.errors.contains("--api-keys-file"), "\(refused.errors)")
            let short = try folder.file("short", "tiny\n")
            let weak = try await serve(["--http", "0.0.0.0:0", "--api-keys-file", short])
            #expect(weak.code == 64)
            #expect(weak.errors.contains("20 characters"))
            let checked = try await serve(["--http", "0.0.0.0:0", "--check-config"])
            #expect(checked.code == 64)
        }

        @Test func keysOpenOtherAddresses() async throws {
            let key = String(repeating: "k", count: 32)
            let file = try folder.file("keys", "# ours\n\(key)\n")
            let server = try TollgateServer(
                catalog: TraceFixture.catalog,
                extra: ["--http", "0.0.0.0:0", "--api-keys-file", file])
            try await server.start()
            #expect(try await server.get("/v1/totals").status == 401)
            let body = #"{"customer":"c1","feature":"calls"}"#
            let wrong = try await server.post(
                "/v1/check", body, headers: ["Authorization": "Bearer wrong"])
            #expect(wrong.status == 401)
            let right = try await server.post(
                "/v1/check", body, headers: ["Authorization": "Bearer \(key)"])
            #expect(right.status == 200)
        }

        @Test func aSecondProcessOnTheSameData() async throws {
            let server = try TollgateServer(catalog: TraceFixture.catalog)
            try await server.start()
            let second = try await run(
                program,
                [
                    "serve", "--data-dir", server.dataDirectory, "--http", "127.0.0.1:0",
                    "--admin", "127.0.0.1:0",
                ], folder: folder)
            #expect(second.code != 0)
            #expect(second.errors.contains(server.dataDirectory), "\(second.errors)")
            #expect(
                second.errors.contains("another") || second.errors.contains("already"),
                "\(second.errors)")
            #expect(!second.output.contains("ready"))
            // The first one is unharmed.
            let answer = try await server.decision(
                "/v1/consume", #"{"customer":"c1","feature":"calls"}"#)
            #expect(answer.allowed)
        }

        @Test func aPortInUse() async throws {
            let server = try TollgateServer(catalog: TraceFixture.catalog)
            try await server.start()
            let ended = try await serve(["--http", "127.0.0.1:\(server.port)"])
            #expect(ended.code == 69)
            #expect(
                ended.errors.contains(
                    "127.0.0.1:\(server.port) is in use by another program; choose another with "
                        + "--http"), "\(ended.errors)")
        }

        @Test func aDataDirectoryThatCannotBe() async throws {
            let file = try folder.file("plain", "x")
            let ended = try await run(
                program,
                [
                    "serve", "--data-dir", file + "/data", "--http", "127.0.0.1:0", "--admin",
                    "127.0.0.1:0",
                ], folder: folder)
            #expect(ended.code == 64)
            #expect(ended.errors.contains("--data-dir: cannot create"), "\(ended.errors)")
            #expect(ended.errors.contains("plain is not a folder"), "\(ended.errors)")
        }

        @Test func anUnreachableKafka() async throws {
            let port = try freePort()
            let ended = try await serve(
                ["--http", "127.0.0.1:0", "--kafka", "127.0.0.1:\(port)", "--topic", "usage"])
            #expect(ended.code == 69)
            #expect(ended.errors.contains("127.0.0.1:\(port)"), "\(ended.errors)")
            #expect(!ended.output.contains("ready"))
        }

        @Test func anUnreachableRedisIsNamedWhileTheRestServes() async throws {
            let port = try freePort()
            let server = try TollgateServer(
                catalog: TraceFixture.catalog, extra: ["--redis", "redis://127.0.0.1:\(port)/0"])
            try server.launch()
            do {
                try await server.waitUntilReady()
            } catch {
                // To refuse is as good, when it says what cannot be reached.
                #expect("\(error)".contains("127.0.0.1:\(port)"), "\(error)")
                return
            }
            let readiness: Readiness = try await server.admin("/readyz").read()
            #expect(readiness.details["redis"]?.contains("degraded") == true)
            let denied = try await server.decision(
                "/v1/consume", #"{"customer":"c1","feature":"calls"}"#)
            #expect(!denied.allowed)
            #expect(denied.reason == "degraded")
        }
    }
}
