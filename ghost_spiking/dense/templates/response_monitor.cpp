{# USES_VARIABLES { _rows } #}
{# ALLOWS_SCALAR_WRITE #}
{% extends 'common_group.cpp' %}
{% import 'macros.cpp' as _macros %}
{% block extra_headers %}
#include <string>
{% endblock %}

{% block maincode %}
    static std::ofstream file(
        results_dir + "{{file_name}}",
        std::ios::binary | ({{get_array_name(variables['_runs'])}}[0]++ ? std::ios::app : std::ios::trunc));
    {{_macros.scalars(scalar_code, vector_code)}}
    if (_note)
    {
        {{_macros.evaluate('post', size, scalar_code, vector_code)}}
        const auto* values = {{get_array_name(variables['_value'])}};
        const size_t rows = {{constant_or_scalar('_rows', variables['_rows'])}};
        file.write(reinterpret_cast<const char*>(values), rows * {{n_units}} * sizeof(*values));
        file.flush();
    }
{% endblock %}
