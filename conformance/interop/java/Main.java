import com.nimbusds.jose.JOSEObjectType;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.jwk.source.JWKSource;
import com.nimbusds.jose.jwk.source.JWKSourceBuilder;
import com.nimbusds.jose.proc.DefaultJOSEObjectTypeVerifier;
import com.nimbusds.jose.proc.JWSVerificationKeySelector;
import com.nimbusds.jose.proc.SecurityContext;
import com.nimbusds.jose.util.JSONObjectUtils;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.proc.BadJWTException;
import com.nimbusds.jwt.proc.DefaultJWTClaimsVerifier;
import com.nimbusds.jwt.proc.DefaultJWTProcessor;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A resource server's check of Tikti's tokens with nimbus-jose-jwt, from the issuer alone.
 *
 * <p>Usage: Main ISSUER AUDIENCE [TENANT] [SCOPES]. The lines that go in and out: conformance/README.md.
 */
public final class Main {
  private final String tenant;
  private final List<String> scopes;
  private final DefaultJWTProcessor<SecurityContext> processor = new DefaultJWTProcessor<>();

  private Main(String issuer, String audience, String tenant, String scopes) throws Exception {
    this.tenant = tenant;
    this.scopes = Arrays.stream(scopes.split(" ")).filter(scope -> !scope.isEmpty()).toList();
    long maxAge = milliseconds("JWKS_MAX_AGE", 300);
    JWKSource<SecurityContext> keys =
        JWKSourceBuilder.<SecurityContext>create(discover(issuer))
            // What the library does by itself, for the age that the issuer says.
            .cache(maxAge, maxAge / 20)
            .refreshAheadCache(maxAge / 10, false)
            .rateLimited(milliseconds("JWKS_COOLDOWN", 30))
            .build();
    processor.setJWSKeySelector(new JWSVerificationKeySelector<>(JWSAlgorithm.RS256, keys));
    processor.setJWSTypeVerifier(
        new DefaultJOSEObjectTypeVerifier<>(JOSEObjectType.JWT, new JOSEObjectType("at+jwt")));
    processor.setJWTClaimsSetVerifier(
        new DefaultJWTClaimsVerifier<>(
            audience,
            new JWTClaimsSet.Builder().issuer(issuer).build(),
            Set.of("sub", "iat", "exp", "tid", "scope", "token_use")));
  }

  private void verify(String token, String expected) throws Exception {
    JWTClaimsSet claims = processor.process(token, null);
    // Required above, but a null is enough for that.
    if (claims.getExpirationTime() == null) {
      throw new BadJWTException("exp is missing");
    }
    if (!expected.equals(claims.getStringClaim("token_use"))) {
      throw new BadJWTException("token_use is not " + expected);
    }
    String tid = claims.getStringClaim("tid");
    if (tid.isEmpty() || !tenant.isEmpty() && !tid.equals(tenant)) {
      throw new BadJWTException("tid is not the tenant");
    }
    if (!Arrays.asList(claims.getStringClaim("scope").split(" ")).containsAll(scopes)) {
      throw new BadJWTException("a scope is missing");
    }
    List<String> eventTypes = claims.getStringListClaim("eventTypes");
    if (expected.equals("worker") && (eventTypes == null || eventTypes.isEmpty())) {
      throw new BadJWTException("eventTypes are missing");
    }
  }

  private static URL discover(String issuer) throws Exception {
    URL url = URI.create(issuer + "/.well-known/openid-configuration").toURL();
    String text = new String(url.openStream().readAllBytes(), StandardCharsets.UTF_8);
    Map<String, Object> document = JSONObjectUtils.parse(text);
    if (!issuer.equals(document.get("issuer"))) {
      throw new IllegalStateException("the document is of " + document.get("issuer"));
    }
    return URI.create(JSONObjectUtils.getString(document, "jwks_uri")).toURL();
  }

  private static long milliseconds(String variable, int otherwise) {
    String value = System.getenv(variable);
    return (long) (1000 * (value == null ? otherwise : Double.parseDouble(value)));
  }

  private static void say(Map<String, Object> value) {
    System.out.println(JSONObjectUtils.toJSONString(value));
    System.out.flush();
  }

  public static void main(String[] arguments) throws Exception {
    String[] given = Arrays.copyOf(arguments, 4);
    Main verifier =
        new Main(given[0], given[1], given[2] == null ? "" : given[2], given[3] == null ? "" : given[3]);
    String version = JWSAlgorithm.class.getPackage().getImplementationVersion();
    say(Map.of("library", "nimbus-jose-jwt", "version", String.valueOf(version)));
    BufferedReader lines =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      Map<String, Object> asked = JSONObjectUtils.parse(line);
      try {
        verifier.verify((String) asked.get("token"), (String) asked.get("class"));
        say(Map.of("id", asked.get("id"), "ok", true, "reason", ""));
      } catch (Exception refused) {
        say(Map.of("id", asked.get("id"), "ok", false, "reason", refused.toString()));
      }
    }
    System.exit(0);
  }
}
