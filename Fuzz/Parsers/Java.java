import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.google.gson.Gson;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/** Reads claims as Java does: Jackson into a map and, without regard to case, into a bean; Gson; a map without regard to case. */
public class Java {
    @JsonIgnoreProperties(ignoreUnknown = true)
    public static class Claims {
        public String iss;
        public String sub;
        public List<String> aud;
        public Long exp;
        public Long nbf;
        public Long iat;
        public String jti;
    }

    static final ObjectMapper MAPS = new ObjectMapper();
    static final ObjectMapper BEANS = JsonMapper.builder()
        .enable(MapperFeature.ACCEPT_CASE_INSENSITIVE_PROPERTIES)
        .enable(DeserializationFeature.ACCEPT_SINGLE_VALUE_AS_ARRAY).build();
    static final Gson GSON = new Gson();

    static String hex(Object text) {
        return HexFormat.of().formatHex(((String) text).getBytes(StandardCharsets.UTF_8));
    }

    static String field(String name, Object value) {
        if (value == null) return name + "=-";
        if (value instanceof Number number) return name + "=" + number.longValue();
        if (!(value instanceof List<?> list)) return name + "=" + hex(value);
        List<String> texts = new ArrayList<>();
        for (Object one : list) texts.add(hex(one));
        return name + "=" + String.join(",", texts);
    }

    static int members(Object value, boolean caseless) {
        int count = 0;
        if (value instanceof Map<?, ?> map) {
            Map<String, Object> seen = caseless ? new TreeMap<>(String.CASE_INSENSITIVE_ORDER) : new LinkedHashMap<>();
            map.forEach((name, member) -> seen.put((String) name, member));
            count += seen.size();
            for (Object member : map.values()) count += members(member, caseless);
        } else if (value instanceof List<?> list) {
            for (Object element : list) count += members(element, caseless);
        }
        return count;
    }

    static String names(Map<?, ?> map) {
        List<String> names = new ArrayList<>();
        for (Object name : map.keySet()) names.add(hex(name));
        Collections.sort(names);
        return String.join(",", names);
    }

    static String reading(Map<?, ?> claims, Map<?, ?> all, boolean caseless) {
        List<String> fields = new ArrayList<>();
        for (String name : new String[] {"iss", "sub", "aud", "exp", "nbf", "iat", "jti"}) fields.add(field(name, claims.get(name)));
        fields.add("members=" + members(all, caseless));
        fields.add("names=" + names(all));
        return String.join(" ", fields);
    }

    interface View { String read(String text) throws Exception; }

    static String attempt(String view, View reader, String text) {
        try {
            return view + ":" + reader.read(text);
        } catch (Exception | StackOverflowError e) {
            return view + ":refused";
        }
    }

    /** Names of one character, and what they are to those who do not regard case. */
    static void printPairs(PrintStream out) {
        for (int code = 0; code <= Character.MAX_CODE_POINT; code++) {
            if (code >= Character.MIN_SURROGATE && code <= Character.MAX_SURROGATE) continue;
            String name = Character.toString(code);
            int upper = Character.toUpperCase(code);
            for (String other : new String[] {Character.toString(upper), Character.toString(Character.toLowerCase(upper)),
                Character.toString(Character.toLowerCase(code)), name.toLowerCase(Locale.ROOT), name.toUpperCase(Locale.ROOT)}) {
                if (!other.equals(name)) out.println(hex(name) + " " + hex(other));
            }
        }
    }

    public static void main(String[] arguments) throws Exception {
        if (arguments.length == 1 && arguments[0].equals("--pairs")) {
            try (PrintStream out = new PrintStream(System.out, false, StandardCharsets.US_ASCII)) {
                printPairs(out);
            }
            return;
        }
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.US_ASCII);
        View jackson = text -> {
            Map<?, ?> all = MAPS.readValue(text, Map.class);
            return reading(all, all, false);
        };
        View bean = text -> {
            Map<?, ?> all = MAPS.readValue(text, Map.class);
            Map<?, ?> known = MAPS.convertValue(BEANS.readValue(text, Claims.class), Map.class);
            return reading(known, all, false);
        };
        View gson = text -> {
            Map<?, ?> all = GSON.fromJson(text, Map.class);
            return reading(all, all, false);
        };
        View caseless = text -> {
            Map<?, ?> all = MAPS.readValue(text, Map.class);
            Map<String, Object> known = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
            all.forEach((name, value) -> known.put((String) name, value));
            return reading(known, all, true);
        };
        for (String line; (line = lines.readLine()) != null; ) {
            String text = new String(Base64.getDecoder().decode(line.trim()), StandardCharsets.UTF_8);
            out.println(String.join("\t", attempt("jackson", jackson, text), attempt("jackson-bean", bean, text),
                attempt("gson", gson, text), attempt("tree-map", caseless, text)));
        }
    }
}
