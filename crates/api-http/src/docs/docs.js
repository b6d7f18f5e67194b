// Starts Swagger UI. All URLs are relative, so that the page works below a prefix.

const dark = matchMedia("(prefers-color-scheme: dark)");
const followColorScheme = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", followColorScheme);
followColorScheme();

/**
 * Leaves a body that an operation does not require empty until it is typed. Otherwise Swagger UI
 * would send the example: to `/refresh`, a second token.
 */
const emptyOptionalBodies = ({ React }) => ({
  wrapComponents: {
    RequestBody: (RequestBody) => (props) => {
      if (props.requestBody?.get("required")) return React.createElement(RequestBody, props);
      const getComponent = (name, ...rest) => {
        const component = props.getComponent(name, ...rest);
        if (name !== "RequestBodyEditor") return component;
        return (editor) => React.createElement(component, { ...editor, defaultValue: "" });
      };
      return React.createElement(RequestBody, { ...props, getComponent });
    },
  },
});

/**
 * Shows what a user can authorize: no cookie, which only the browser sends, and no operation as
 * authorized because it also accepts a request without any of its schemes.
 */
const explicitAuthorization = () => ({
  statePlugins: {
    auth: {
      wrapSelectors: {
        definitionsToAuthorize: (original) => () =>
          original().filterNot((schemes) => schemes.some((scheme) => scheme.get("in") === "cookie")),
        isAuthorized: (original) => (_state, requirements) =>
          original(requirements?.filterNot((requirement) => requirement.isEmpty())),
      },
    },
  },
});

SwaggerUIBundle({
  url: "../openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  layout: "BaseLayout",
  persistAuthorization: true,
  plugins: [emptyOptionalBodies, explicitAuthorization],
  presets: [SwaggerUIBundle.presets.apis],
  tryItOutEnabled: true,
  validatorUrl: "none",
});
